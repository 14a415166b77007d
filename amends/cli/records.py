"""The records of one saga, read from its entry in the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from amends.definition.states import RecordState
from amends.log.queries.open_waits import OpenWait, open_wait
from amends.log.saga_state import Standing

_WAITING: Final = (RecordState.PENDING, RecordState.WAITING)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record of a saga; times are seconds from now."""

    path: str
    task: str
    state: RecordState
    attempts: int
    error: str | None
    frame: str | None  #: Where the application raised it.
    claimed: float | None  #: Since its claim, None unless it runs.
    time_left: float | None  #: Until the log gives the attempt up, None unless it runs.
    wait: (
        float | None
    )  #: Until it may run again, or its wait is over at the latest; None unless it waits.
    waits_for: OpenWait | None  #: Signals, or a time; None unless it waits in the log.
    owner: str | None  #: As `Owner.format` writes it, None unless it runs.
    output: str | None  #: JSON.
    was_touched: bool
    is_ahead: bool  #: Whether it remains to be done.

    @property
    def is_compensation(self) -> bool:
        """Whether it is a compensation."""
        return self.path.endswith(":undo")


def record_of(standing: Standing, path: str) -> Record:
    """Read one record of a saga by its path."""
    record, now = standing.entry.records[path], standing.now
    held, wait = record.claim, record.waits_until
    return Record(
        path=path,
        task=standing.entry.itinerary.records[path].call.task,
        state=record.state,
        attempts=record.attempts,
        error=record.error,
        frame=record.frame,
        claimed=now - held.claimed_at if held else None,
        time_left=held.given_up_at - now if held else None,
        wait=max(0.0, wait - now) if record.state in _WAITING and wait else None,
        waits_for=open_wait(standing.entry, path),
        owner=(held.owner.format() if held.owner else "") if held else None,
        output=record.output,
        was_touched=record.was_touched,
        is_ahead=path in standing.places,
    )


def records_of(standing: Standing) -> list[Record]:
    """Read all records of a saga, those of a step together; of a step for each item those of all items."""
    return [record_of(standing, path) for path in standing.entry.records]


def records_by_step(standing: Standing) -> Mapping[str, Sequence[Record]]:
    """Read all records of a saga by their steps, as paths name these."""
    found: dict[str, list[Record]] = {}
    for record in records_of(standing):
        found.setdefault(record.path.partition(":")[0], []).append(record)
    return found
