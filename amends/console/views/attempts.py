"""Attempts of a saga, folded: those in a row that failed alike are one row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from amends.definition.serialization import canonical_json
from amends.log.history import Event
from amends.log.record import error_text

_FAILURES: Final = frozenset({"step.retrying", "step.failed", "step.stuck", "step.switching"})
_CHANGES: Final = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?")
"""What differs in a text from one attempt to the next, and says nothing: numbers and addresses."""


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Attempts at a record that failed alike in a row. Moments are seconds since 1970."""

    record: str
    error: str  #: Of the last one.
    count: int
    first_at: float
    last_at: float


def failures_of(history: Sequence[Event]) -> Sequence[Failures]:
    """Return the attempts that failed, in order, those alike in one."""
    found: list[Failures] = []
    at: dict[str, int] = {}  # of each record's last
    for event in history:
        error = event.details.get("error")
        if event.name not in _FAILURES or event.record is None or not isinstance(error, dict):
            continue
        text = error_text(canonical_json(error)) or ""
        began = event.at if event.first_at is None else event.first_at
        last = at.get(event.record)
        if last is not None and _kind(found[last].error) == _kind(text):
            count = found[last].count + event.count
            found[last] = replace(found[last], error=text, count=count, last_at=event.at)
            continue
        at[event.record] = len(found)
        found.append(
            Failures(
                record=event.record, error=text, count=event.count, first_at=began, last_at=event.at
            )
        )
    return found


def _kind(text: str) -> str:
    return _CHANGES.sub("0", text)
