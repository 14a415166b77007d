"""The waits of a saga that have begun: what for, and until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from amends.definition.states import RecordState
from amends.log.saga_state import Entry


@dataclass(frozen=True, kw_only=True)
class OpenWait:
    """A wait for `wanted` signals, of which so many came; or for a time, then `wanted` is 0.

    `ends_at` is when it ends at the latest, in seconds since 1970 by the log's clock, None where nothing but signals ends it.
    """

    path: str
    wanted: int
    signals: int
    ends_at: float | None
    on_timeout: Literal["compensate", "continue"]
    outcome: str  #: The saga's, if it turns back for want of signals.


def open_wait(entry: Entry, path: str) -> OpenWait | None:
    """Describe the wait at a record, None where it does not wait for signals or a time."""
    record, plan = entry.records[path], entry.itinerary.records[path]
    if record.state is not RecordState.WAITING or plan.step.wait is None:
        return None
    return OpenWait(
        path=path,
        wanted=plan.step.wait.count,
        signals=record.signals,
        ends_at=record.waits_until,
        on_timeout=plan.step.on_failure,
        outcome=plan.outcome_of(TimeoutError),
    )


def open_waits(entry: Entry) -> Sequence[OpenWait]:
    """Return the waits of a saga that have begun, in the order of its steps."""
    found = (open_wait(entry, path) for path in entry.records)
    return [each for each in found if each]
