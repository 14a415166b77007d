"""The records of one saga, as its entry in the log has them."""

from dataclasses import dataclass

from amends.definition.serialization import error_text
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
    def is_undo(self) -> bool:
        """Whether it takes another one back."""
        return self.path.endswith(":undo")


def record_of(standing: Standing, path: str) -> Record:
    """Read one record of a saga by its path."""
    entry = standing.entry
    plan = entry.itinerary.records[path]
    code = entry.itinerary.code_of(path)

    def field(name: str) -> str | None:
        return entry.fields.get(f"{code}.{name}")

    def until(name: str) -> float | None:
        at = field(name)
        return None if at is None else int(at) / 1000 - standing.now

    state = RecordState(field("s") or "pending")
    runs, claimed, wait = state is RecordState.RUNNING, until("c"), until("w")
    return Record(
        path=path,
        task=plan.call.task,
        state=state,
        attempts=int(field("a") or 0),
        error=error_text(field("e")),
        claimed=-claimed if runs and claimed is not None else None,
        time_left=until("l") if runs else None,
        wait=max(0.0, wait) if state is RecordState.PENDING and wait is not None else None,
        owner=field("o") if runs else None,
        output=field("x"),
        was_touched=field("s") is not None,
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
