"""The branches of a stage in an explanation: which records are present, and how many are at what."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from amends.definition.states import ENDED, RecordState, SagaStatus
from amends.diagnosis.saga.position import Positions
from amends.diagnosis.saga.record_facts import Position, Situation, StageFacts
from amends.diagnosis.saga.record_view import View
from amends.log.queries.stage_state import BranchState, at_hand, next_in
from amends.log.record import Record

MOST_TOLD: Final = 5
"""Records of a stage that an explanation tells of one by one."""

_RANKS: Final[Mapping[Situation, int]] = {
    each: rank
    for rank, each in enumerate(
        (
            Situation.LOST,
            Situation.UNREGISTERED,
            Situation.DEFERRED,
            Situation.RETRYING,
            Situation.RUNNING,
            Situation.QUEUED,
            Situation.WAITING,
            Situation.PAUSED,
        )
    )
}

Present = Sequence[tuple[str, Situation]]
"""Paths of records that run or come next, and what they are at."""


def present(view: View, positions: Positions) -> Present:
    """Return the records that run or come next, the one that the explanation is about first."""
    entry = view.entry
    if entry.status in ENDED:
        return []
    if entry.status is SagaStatus.STUCK:
        return [(path, Situation.STUCK) for path in _first_of_stuck(view)]
    found = [(path, positions.situation_of(path)) for path in at_hand(view.standing)]

    def rank(each: tuple[str, Situation]) -> tuple[int, int]:
        child = view.child_of(each[0])
        return _RANKS[each[1]], child.rank[0] if child else 0

    return sorted(found, key=rank)


def _first_of_stuck(view: View) -> Sequence[str]:
    """Return the record that no worker can run, or what else remains of a stuck saga."""
    parked_in = view.entry.fields.get("parked_in")
    branches = view.stage.branches if view.stage else ()
    paths = [next_in(view.standing, each) for each in branches if each.field == parked_in]
    return [path for path in paths if path] or view.standing.remaining[:1]


def others_at_hand(view: View, positions: Positions, others: Present) -> Sequence[Position]:
    """Tell of those besides the first, each situation's first before its second."""
    if view.entry.status is SagaStatus.STUCK:
        return []
    told: Counter[Situation] = Counter()
    ranked = []
    for k, (path, situation) in enumerate(others):
        ranked.append((told[situation], k, path, situation))
        told[situation] += 1
    chosen = sorted(sorted(ranked)[: MOST_TOLD - 1], key=lambda each: each[1])
    return [positions.position_of(path, situation) for _, _, path, situation in chosen]


def stage_facts(view: View, paths: Present, others: Iterable[Position]) -> StageFacts | None:
    """Tell of the stage that a saga is at, None outside of such."""
    stage = view.stage
    if stage is None:
        return None
    records, at = view.records, {path for path, _ in paths}
    stuck = [each for each in stage.branches if _is_stuck(records, each)]
    is_settling = stage.is_settling(view.entry)
    waiting = [each for each in stage.branches if each.waits_for_place and not is_settling]
    count_at_hand = sum(not at.isdisjoint(each.paths) for each in stage.branches)
    return StageFacts(
        steps=tuple(step.name for step in stage.plan.steps),
        items=stage.plan.items,
        concurrency=stage.plan.concurrency,
        branches=len(stage.branches),
        is_undo=stage.undo is RecordState.RUNNING,
        is_ordered=stage.plan.undo == "ordered",
        is_settling=is_settling,
        at_hand=dict(Counter(situation for _, situation in paths)),
        waiting=len(waiting),
        stuck=len(stuck),
        finished=len(stage.branches) - len(waiting) - len(stuck) - count_at_hand,
        then=_then(view, paths[0][0]) if paths else None,
        others=tuple(others),
    )


def undo_turns(view: View) -> Mapping[str, int]:
    """Return the turn of each compensation that a cancel would start, by its path; nothing without stages of several branches."""
    itinerary = view.itinerary
    if not itinerary.wide_stages:
        return {}
    turns: dict[str, int] = {}
    at_once, last = (
        "",
        0,
    )  # the stage whose branches begin at once, and the last turn of any record so far
    first = last
    in_branch: Counter[str] = Counter()
    for path in view.standing.owed:
        branch = itinerary.branch_of(path)
        stage = branch.partition(".")[0]
        is_ordered = not stage or itinerary.wide_stages[stage].undo == "ordered"
        if is_ordered or stage != at_once:
            at_once, first = "" if is_ordered else stage, last
        in_branch[branch] += 1
        turns[path] = last + 1 if is_ordered else first + in_branch[branch]
        last = max(last, turns[path])
    return turns


def _then(view: View, path: str) -> str | None:
    """Return the path of what comes in a record's branch after it."""
    branches = view.stage.branches if view.stage else ()
    own = next((each.paths for each in branches if path in each.paths), ())
    ahead = [each for each in view.standing.remaining if each in own and each != path]
    return ahead[0] if ahead else None


def _is_stuck(records: Mapping[str, Record], branch: BranchState) -> bool:
    return any(records[path].state is RecordState.STUCK for path in branch.paths)
