"""The records of one saga, read from its entry in the log."""

from dataclasses import dataclass

from amends.definition.states import ENDED, RecordState, SagaStatus
from amends.log.answers import Standing


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record of a saga as it stands: what is called, where that is, and how long it takes already or waits.

    Times are seconds: it is `claimed` for so long, given up in `time_left`, and may run again in `wait`.
    """

    path: str
    task: str
    state: RecordState
    attempts: int
    error: str | None
    claimed: float | None
    time_left: float | None
    wait: float | None
    owner: str | None
    output: str | None
    was_touched: bool
    is_ahead: bool

    @property
    def is_compensation(self) -> bool:
        """Whether it takes another one back."""
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
        claimed=now - held.claimed_at if held else None,
        time_left=held.given_up_at - now if held else None,
        wait=max(0.0, wait - now) if record.state is RecordState.PENDING and wait else None,
        owner=(held.owner.format() if held.owner else "") if held else None,
        output=record.output,
        was_touched=record.was_touched,
        is_ahead=path in standing.remaining,
    )


def records_of(standing: Standing) -> list[Record]:
    """Read all records of a saga, those of a step together."""
    return [record_of(standing, path) for path in standing.entry.itinerary.records]


def at_hand(standing: Standing) -> str | None:
    """Tell the path of the record that a saga stands at, None where it has ended."""
    if standing.entry.status in ENDED:
        return None
    records = records_of(standing)
    wanted = [RecordState.RUNNING]
    if standing.entry.status is SagaStatus.STUCK:
        wanted.append(RecordState.STUCK)
    found = [record.path for state in wanted for record in records if record.state is state]
    return next(iter([*found, *standing.remaining]), None)
