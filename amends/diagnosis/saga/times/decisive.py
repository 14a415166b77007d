"""The row of runs that decided how long a saga took.

Each run came after another one: after the one of its own branch, or of all that could let it begin the one that ended last. So of
branches that ran at once it is the one that the others were waited for, and of items that waited for a place the one that gave it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache

from amends.definition.itinerary import Itinerary
from amends.definition.paths import UNDO
from amends.diagnosis.saga.times.run import Run
from amends.diagnosis.saga.times.segments import Cause, Segment

_Row = tuple[str, bool]  # a branch, '' for the line, and whether it goes back


def joined(itinerary: Itinerary, start: Run, runs: Sequence[Run], last: Run) -> Sequence[Segment]:
    """Let each run begin at the end of the one that it came after. Returns the segments up to the end of the last one.

    runs: in order of their ends, as far as they tell.
    """
    befores = _Befores(itinerary, start, runs)
    before = {id(run): befores.of(index, run) for index, run in enumerate(runs)}
    for run in runs:
        run.precede(before[id(run)].end)
    row: list[Run] = [last]
    while (earlier := before.get(id(row[-1]))) is not None:
        row.append(earlier)
    return [segment for run in reversed(row) for segment in run.segments]


def without_gaps(segments: Iterable[Segment], start: float, end: float) -> Iterator[Segment]:
    """Yield segments from the start to the end: none overlaps the one before, and what none tells of is unexplained."""
    at = start
    for each in segments:
        if each.start > at:
            yield Segment(cause=Cause.UNEXPLAINED, start=at, end=min(each.start, end))
        clipped = replace(each, start=max(each.start, at), end=min(each.end, end))
        if clipped.start < clipped.end:
            yield clipped
            at = clipped.end
    if at < end:
        yield Segment(cause=Cause.UNEXPLAINED, start=at, end=end)


class _Befores:
    """Finds the run that another one came after."""

    def __init__(self, itinerary: Itinerary, start: Run, runs: Sequence[Run]) -> None:
        self._itinerary, self._start = itinerary, start
        self._ranked = sorted(enumerate(runs), key=lambda each: (each[1].end, each[0]))
        self._branch_of = cache(itinerary.branch_of)
        self._own = cache(lambda row: _Ends(self._those(lambda of: of == row)))
        self._outside = cache(lambda row: _Ends(self._those(lambda of: not _is_beside(of, row))))
        self._all = _Ends(self._ranked)
        self._of_saga = _Ends([each for each in self._ranked if each[1].record is None])

    def of(self, index: int, run: Run) -> Run:
        """Return the run that this one came after: one of an earlier index that had ended when it began."""
        row = self._row(run)
        if not row[0]:
            return self._all.last(run.first, index) or self._start
        found = self._own(row).last(run.first, index)
        if found:
            of_saga = self._of_saga.last(run.first, index)
            return max(found, of_saga, key=lambda each: each.end) if of_saga else found
        among = self._all if self._has_places(row) else self._outside(row)
        return among.last(run.first, index) or self._start

    def _row(self, run: Run) -> _Row:
        record = run.record
        return (self._branch_of(record), record.endswith(UNDO)) if record else ("", False)

    def _those(self, are_wanted: Callable[[_Row], bool]) -> list[tuple[int, Run]]:
        return [each for each in self._ranked if are_wanted(self._row(each[1]))]

    def _has_places(self, row: _Row) -> bool:
        """Return whether branches of a stage begin as others end."""
        branch, is_undo = row
        stage = self._itinerary.wide_stages[branch.partition(".")[0]]
        return stage.concurrency is not None or (is_undo and stage.undo == "ordered")


class _Ends:
    """Runs by their ends."""

    def __init__(self, ranked: Sequence[tuple[int, Run]]) -> None:
        self._ranked, self._ends = ranked, [run.end for _, run in ranked]

    def last(self, at: float, before: int) -> Run | None:
        """Return the run that ended last up to a moment, of those before an index."""
        for k in range(bisect_right(self._ends, at) - 1, -1, -1):
            index, run = self._ranked[k]
            if index < before:
                return run
        return None


def _is_beside(one: _Row, other: _Row) -> bool:
    """Return whether two rows are of one stage, in one direction, and not the same."""
    stages = {row[0].partition(".")[0] for row in (one, other)}
    return one != other and one[1] == other[1] and len(stages) == 1
