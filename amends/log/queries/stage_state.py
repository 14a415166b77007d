"""The stages of several branches of a saga, as the log has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from amends.definition.paths import FALLBACK, UNDO, VERIFY
from amends.definition.plans import StagePlan
from amends.definition.states import ENDED, RecordState, SagaStatus
from amends.log.record import state_field
from amends.log.saga_state import Entry, Standing

_SUFFIXES: Final = tuple(
    channel + kind for channel in ("", FALLBACK) for kind in ("", UNDO, VERIFY)
)


@dataclass(frozen=True, kw_only=True)
class BranchState:
    """A branch of a stage: a row of steps, or one item of a list. Times are seconds since 1970 by the log's clock."""

    field: str  #: What the saga's hash calls it.
    steps: Sequence[str]  #: What its steps are called in paths, in order.
    paths: Sequence[str]  #: Of all its records.
    is_open: bool  #: Whether it has begun, or may.
    waits_for_place: bool  #: Whether others of its stage have to end first.
    sent_at: (
        float | None
    )  #: When the message of what comes next in it was to arrive, None unless one is under way.
    dispatches: int  #: How many messages were sent for what comes next in it.
    message: int  #: Number of its last message.


@dataclass(frozen=True, kw_only=True)
class StageState:
    """A stage of several branches.

    state: of the stage, None before it is opened.
    undo: of its undo, None before that is opened.
    """

    name: str
    plan: StagePlan
    state: RecordState | None
    undo: RecordState | None
    branches: Sequence[BranchState]  #: Those of its items once these are known, none before.

    @property
    def is_at_hand(self) -> bool:
        """Whether its branches run or come next, forward or backward, or settle."""
        return RecordState.RUNNING in (self.state, self.undo)

    def is_settling(self, entry: Entry) -> bool:
        """Return whether the saga has turned back while something of it still runs: its undo begins after that."""
        return self.state is RecordState.RUNNING and not entry.is_forward


def stages_of(entry: Entry) -> Sequence[StageState]:
    """Read the stages of several branches of a saga, in order."""
    return [_stage(entry, name, plan) for name, plan in entry.itinerary.wide_stages.items()]


def stage_at_hand(entry: Entry) -> StageState | None:
    """Return the stage whose branches run or come next, or None."""
    return next((stage for stage in stages_of(entry) if stage.is_at_hand), None)


def next_in(standing: Standing, branch: BranchState) -> str | None:
    """Return the path of what runs in a branch, or comes next in it; None where nothing does."""
    records, places = standing.entry.records, standing.places
    for path in branch.paths:
        if records[path].state is RecordState.RUNNING:
            return path
    return min(
        (path for path in branch.paths if path in places), key=places.__getitem__, default=None
    )


def at_hand(standing: Standing) -> Sequence[str]:
    """Return the paths of the present records: one, or of a stage one of each branch at most; none if the saga has ended."""
    entry = standing.entry
    if entry.status in ENDED:
        return []
    records, stage = entry.records, stage_at_hand(entry)
    running = [path for path, record in records.items() if record.state is RecordState.RUNNING]
    stuck = [path for path, record in records.items() if record.state is RecordState.STUCK]
    if entry.status is SagaStatus.STUCK and stuck:
        return stuck if entry.itinerary.wide_stages else stuck[:1]
    if not stage or stage.is_settling(entry):
        return running or [*standing.remaining[:1]]
    parked_in = entry.fields.get("parked_in")
    open_ones = [each for each in stage.branches if each.is_open and not each.waits_for_place]
    open_ones.sort(key=lambda each: each.field != parked_in)
    following = [path for each in open_ones if (path := next_in(standing, each))]
    return [*dict.fromkeys([*running, *following])]


def _stage(entry: Entry, name: str, plan: StagePlan) -> StageState:
    queue = frozenset(entry.fields.get(f"{name}.queue", "").split(","))
    rows: list[Sequence[str]] = [[step.name for step in branch] for branch in plan.branches]
    if plan.items is not None:
        many = int(entry.fields.get(f"{name}.many", 0))
        rows = [[f"{plan.steps[0].name}[{item}]"] for item in range(1, many + 1)]
    return StageState(
        name=name,
        plan=plan,
        state=_state(entry, state_field(name)),
        undo=_state(entry, state_field(f"{name}u")),
        branches=[_branch(entry, name, number, row, queue) for number, row in enumerate(rows, 1)],
    )


def _branch(
    entry: Entry, stage: str, number: int, steps: Sequence[str], queue: frozenset[str]
) -> BranchState:
    text = entry.fields.get(f"{stage}.{number}")
    sent, dispatches, message = map(int, (text or "0|0|0").split("|")[:3])
    paths = [name + suffix for name in steps for suffix in _SUFFIXES]
    return BranchState(
        field=f"{stage}.{number}",
        steps=steps,
        paths=[path for path in paths if path in entry.records],
        is_open=text is not None,
        waits_for_place=str(number) in queue,
        sent_at=sent / 1000 if sent else None,
        dispatches=dispatches,
        message=message,
    )


def _state(entry: Entry, field: str) -> RecordState | None:
    state = entry.fields.get(field)
    return RecordState(state) if state else None
