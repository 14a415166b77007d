"""Events of a saga's history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from pydantic_core import from_json

NAMES: Final = (
    "saga.started",
    "saga.adopted",
    "saga.cancelled",
    "saga.retried",
    "saga.paused",
    "saga.resumed",
    "saga.compensating",
    "saga.stuck",
    "saga.unparked",
    "saga.overdue",
    "saga.finished",
    "step.started",
    "step.completed",
    "step.retrying",
    "step.failed",
    "step.switching",
    "step.compensating",
    "step.compensated",
    "step.stuck",
    "step.late",
    "step.unregistered",
    "step.skipped",
    "step.omitted",
    "step.verifying",
    "step.verified",
    "step.waiting",
    "step.waited",
    "step.signalled",
)
"""Names of all events that the scripts write."""


_SPACES: Final = "\u00a0\u202f\u3000"  # of ordinary writing, though Python counts none as printable


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event of a saga's history.

    `at` is seconds since 1970 by the log's clock; order events by their place, never by time.
    `record` is the path of the record it is about, None for the saga itself. `details` holds what
    the event's name calls for: ``attempt``, ``error``, ``wait`` (ms), ``state``, ``outcome``,
    ``status``, ``reason``, ``task``, ``by``, ``why``.

    A history is bounded: from some length on, an event stands for all of its name and record from then on. `count` is
    how many, `first_at` when the first of them was, `at` and `details` are the last one's.
    """

    name: str
    at: float
    record: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1
    first_at: float | None = None  #: None unless it stands for several.

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read an event as the log keeps it; one that a newer release wrote otherwise has what can be read of it."""
        members = from_json(text)
        first_at = members.pop("first_at", None)
        return cls(
            name=members.pop("name", "unknown"),
            at=members.pop("at", 0) / 1000,
            record=members.pop("record", None),
            count=members.pop("count", 1),
            first_at=first_at / 1000 if first_at else None,
            details=members,
        )


def printable(text: str) -> str:
    """Write a text of somebody else's for people: on one line, with escapes for what a terminal would obey or hide.

    That is every character that Unicode counts as control or format, such as ESC, a newline or the right-to-left override.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in _SPACES else each.encode("unicode_escape").decode()
        for each in text
    )
