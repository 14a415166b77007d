"""The rows of a saga's steps: do and undo side by side, branches of a stage under their heading."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from amends.cli.children.rows import child_rows, has_stuck, status_of
from amends.cli.formatting import duration, state_cell, wait_words
from amends.cli.records import Record, record_of
from amends.cli.table import Cell
from amends.cli.times.text import StepTimes
from amends.definition.paths import FALLBACK, VERIFY
from amends.definition.plans import StagePlan
from amends.definition.states import RecordState
from amends.diagnosis.saga.times.segments import Times
from amends.log.queries.children import ChildState
from amends.log.queries.stage_state import BranchState, StageState, stages_of
from amends.log.saga_state import Standing

Row = list[Cell | str]

MOST_ITEMS: Final = 10
"""Items of a stage that have a row each."""

_FEW: Final = 3  # items that all have one
_BEGINS, _GOES_ON = "+ ", "| "
_DIM: Final = {"dim": True}
_ODD: Final = (RecordState.STUCK, RecordState.UNKNOWN, RecordState.FAILED, RecordState.RUNNING)
_PLACELESS: Final = "wait for a place"
_NOT_BEGUN: Final = "not begun"
_ORDER: Final = (
    "stuck",
    "unknown",
    "failed",
    "compensating",
    "running",
    "waiting",
    "pending",
    _PLACELESS,
    _NOT_BEGUN,
    "done",
    "completed",
    "compensated",
    "skipped",
)


class StepRows:
    """Draws the steps of a saga, and under each the saga that it is. With `times`, each has also what it took and waited."""

    def __init__(
        self,
        standing: Standing,
        here: Sequence[str],
        children: Sequence[ChildState] = (),
        *,
        times: Times | None = None,
    ) -> None:
        self._standing = standing
        self._here = frozenset(here)
        self._children = {each.step: each for each in children}
        self._times = StepTimes(times) if times else None
        self._stages = stages_of(standing.entry)
        queued = (each for stage in self._stages for each in stage.branches if each.waits_for_place)
        self._queued = frozenset(path for branch in queued for path in branch.paths)

    def rows(self) -> Iterator[Row]:
        """Yield a row for each step and each fallback that was begun; of a stage with many items for those that need a look."""
        stages = iter(self._stages)
        for each in self._standing.entry.itinerary.stages:
            if not isinstance(each, StagePlan):
                yield from self._step(each[0].name)
            elif each.items is None:
                yield from self._parallel(next(stages))
            else:
                yield from self._items(next(stages))

    def _parallel(self, stage: StageState) -> Iterator[Row]:
        how = ", undone one by one" if stage.plan.undo == "ordered" else ""
        yield ["", Cell(f"{len(stage.branches)} branches at once{how}", _DIM)]
        for branch in stage.branches:
            for k, name in enumerate(branch.steps):
                yield from self._step(name, before=_GOES_ON if k else _BEGINS)

    def _items(self, stage: StageState) -> Iterator[Row]:
        step, many = stage.plan.steps[0].name, len(stage.branches)
        at_once = f", {stage.plan.concurrency} at once" if stage.plan.concurrency else ""
        if not many:
            yield from self._step(step, name=f"{step}, each of {stage.plan.items}{at_once}")
            return
        is_few = many <= _FEW
        heading = f"{step}, {many:,} item{'s' if many > 1 else ''}{at_once}"
        cells = ([], []) if is_few else (self._counts(stage), self._counts(stage, undo=True))
        for k, (do, undo) in enumerate(zip_longest(*cells)):
            row = ["", heading if k == 0 else "", do or "", *([undo] if undo else [])]
            if k == 0 and self._times:
                paths = [path for branch in stage.branches for path in branch.paths]
                row = [*row, *[""] * (4 - len(row)), *self._times.cells(paths)]
            yield row
        if is_few:
            yield ["", Cell(heading, _DIM)]
        wanted = list(stage.branches) if is_few else self._notable(stage)
        for branch in wanted[:MOST_ITEMS]:
            yield from self._step(branch.steps[0], before=_BEGINS)
        if wanted[MOST_ITEMS:]:
            more = f"and {len(wanted) - MOST_ITEMS:,} more; --json has all"
            yield ["", Cell(f"{_BEGINS}{more}", _DIM)]

    def _notable(self, stage: StageState) -> list[BranchState]:
        """Return the items that failed, run or wait for a retry, the worst first, and those at hand where these are few."""
        ranked: list[tuple[int, float, BranchState]] = []
        records, is_short = self._standing.entry.records, len(self._here) <= MOST_ITEMS
        for k, branch in enumerate(stage.branches):
            present = [records[path] for path in branch.paths]
            ranks = [_ODD.index(each.state) for each in present if each.state in _ODD]
            if any(each.state is RecordState.PENDING and each.waits_until for each in present):
                ranks.append(_ODD.index(RecordState.FAILED))
            if is_short and not self._here.isdisjoint(branch.paths):
                ranks.append(len(_ODD))
            child = self._children.get(branch.steps[0])
            if child and child.is_live:  # of those alike the oldest first
                ranks.append(0 if has_stuck(child) else len(_ODD))
            if ranks:
                ranked.append((min(ranks), child.rank[1] if child else k, branch))
        return [branch for _, _, branch in sorted(ranked, key=lambda each: each[:2])]

    def _counts(self, stage: StageState, *, undo: bool = False) -> list[Cell]:
        """Count the items by the state of their do, or of their undo, a cell for each state."""
        if undo and stage.plan.steps[0].compensation is None:
            return [Cell("has none", _DIM)]
        counts: Counter[str] = Counter()
        for branch in stage.branches:
            found = [record_of(self._standing, path) for path in branch.paths]
            of = [each for each in found if each.is_compensation is undo and _counts_for(each)]
            state = _worst(of, undo=undo)
            if state == "waiting" and (child := self._children.get(branch.steps[0])):
                state = status_of(child)
            if state == "pending" and not undo and not self._standing.entry.is_forward:
                state = _NOT_BEGUN
            elif state == "pending" and branch.waits_for_place:
                state = _PLACELESS
            counts[state] += 1
        if set(counts) == {""}:
            return [Cell("-" if undo else "", _DIM)]
        ordered = sorted((key for key in counts if key), key=_ORDER.index)
        return [state_cell(key, f"{counts[key]:,} {key}") for key in ordered]

    def _step(self, step: str, *, before: str = "", name: str | None = None) -> Iterator[Row]:
        records = self._standing.entry.records
        after = _GOES_ON if before else ""
        for path, title in (
            (step, before + (name or step)),
            (f"{step}{VERIFY}", f"{after}  its verification"),
            (f"{step}{FALLBACK}", f"{after}  or its fallback"),
            (f"{step}{FALLBACK}{VERIFY}", f"{after}  its verification"),
        ):
            if path not in records:
                continue
            record = record_of(self._standing, path)
            if path != step and not record.was_touched:
                continue
            if path.endswith(VERIFY):
                yield self._verification(record, title)
                continue
            undo = f"{path}:undo"
            is_here = not self._here.isdisjoint((path, undo))
            yield [
                Cell(">" if is_here else "", {"bold": True}),
                Cell(title, {"bold": is_here}),
                self._cell(record),
                self._cell(record_of(self._standing, undo))
                if undo in records
                else Cell("has none", _DIM),
                *(self._times.cells([path, undo]) if self._times else ()),
            ]
            if path in self._children:
                yield from self._child(path, undo, before=after)

    def _child(self, *paths: str, before: str) -> Iterator[Row]:
        """Yield rows for the saga that a step is, unless it could not be started."""
        child, records = self._children[paths[0]], self._standing.entry.records
        states = [records[path].state for path in paths if path in records]
        if child.summary or states[0] is not RecordState.FAILED:
            is_awaited = RecordState.WAITING in states
            yield from child_rows(child, before=before, is_awaited=is_awaited)

    def _verification(self, record: Record, title: str) -> Row:
        is_here = record.path in self._here
        mark = Cell(">" if is_here else "", {"bold": True})
        cells = [mark, Cell(title, {"bold": is_here}), self._cell(record)]
        return [*cells, "", *self._times.cells([record.path])] if self._times else [*cells]

    def _cell(self, record: Record) -> Cell:
        is_wanted = record.is_ahead if record.is_compensation else record.path in self._here
        is_queued = record.path in self._queued and record.is_ahead and not record.was_touched
        if is_queued and record.is_compensation is not self._standing.entry.is_forward:
            return Cell("waits for a place", _DIM)
        if not record.was_touched and not is_wanted:
            return Cell("-" if record.is_compensation else "", _DIM)
        return state_cell(record.state, told(record))


def told(record: Record) -> str:
    """Say where a record is in a few words: its state, how often it was tried, and for how long or when again; or what it waits for."""
    if record.waits_for:
        return ", ".join(["waiting", *wait_words(record.waits_for, record.wait)])
    words = [str(record.state)]
    if record.claimed is not None:
        words = [f"running for {duration(record.claimed)}"]
    elif record.wait is not None:
        words = [f"again in {duration(record.wait)}" if record.wait else "again now"]
    if record.state is RecordState.RUNNING:
        words.append(f"attempt {record.attempts + 1}")
    elif record.attempts > 1 or (record.attempts and record.state is not RecordState.DONE):
        words.append(f"{record.attempts} attempt{'s' if record.attempts > 1 else ''}")
    return ", ".join(words)


def _counts_for(record: Record) -> bool:
    """Return whether a record counts for its item's state: not a fallback, or an undo, that nobody asked for."""
    if record.path.endswith(VERIFY):
        return False
    is_plain = not record.is_compensation and not record.path.endswith(FALLBACK)
    return is_plain or record.was_touched or (record.is_ahead and record.is_compensation)


def _worst(records: Sequence[Record], *, undo: bool) -> str:
    """Name the state of an item by its records: of its do the last channel's, of its undo the worst."""
    names = ["waiting" if each.wait is not None else str(each.state) for each in records]
    if not names:
        return ""
    return min(names, key=_ORDER.index) if undo else names[-1]
