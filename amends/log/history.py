"""Events of a saga's history, and the transitions that write them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Self

from pydantic_core import from_json

from amends.definition.states import SagaStatus

NAMES: Final = (
    "saga.started",
    "saga.cancelled",
    "saga.retried",
    "saga.paused",
    "saga.resumed",
    "saga.compensating",
    "saga.stuck",
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
)
"""Names of all events that the scripts write."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event of a saga's history.

    `at` is seconds since 1970 by the log's clock; order events by their place, never by time.
    `record` is the path of the record it is about, None for the saga itself. `details` holds what
    the event's name calls for: ``attempt``, ``error``, ``wait`` (ms), ``state``, ``outcome``,
    ``status``, ``reason``, ``task``, ``by``, ``why``.
    """

    name: str
    at: float
    record: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read an event as the log keeps it."""
        members = from_json(text)
        return cls(
            name=members.pop("name"),
            at=members.pop("at") / 1000,
            record=members.pop("record", None),
            details=members,
        )


class Transition:
    """One transition of a saga: what it wrote to the history, and where the saga was and is.

    Events are decoded lazily: few observers read more than `names`, those of the events in order.
    """

    def __init__(self, saga_id: str, head: Sequence[Any], texts: Sequence[str]) -> None:
        """Take what a script answers beside its answer, as ``lua/transition.lua`` says: head and events."""
        self.saga_id = saga_id
        self.names: Sequence[str] = head[4].split()
        self._head = head
        self._texts = texts

    @property
    def saga(self) -> str:
        """The saga's name."""
        return str(self._head[0])

    @property
    def was(self) -> SagaStatus | None:
        """Status before; None if the transition started the saga."""
        was = self._head[1]
        return SagaStatus(was) if was else None

    @property
    def status(self) -> SagaStatus:
        """Status after."""
        return SagaStatus(self._head[2])

    @property
    def created(self) -> float:
        """Start of the saga, in seconds since 1970 by the log's clock."""
        return int(self._head[3]) / 1000

    @cached_property
    def events(self) -> Sequence[Event]:
        """Its events, in order."""
        return [Event.from_json(text) for text in self._texts]
