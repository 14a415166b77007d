"""Account for the time of a saga: its records' runs, and the row of them that decided how long it took."""

from collections.abc import Mapping, Sequence
from functools import cache

from celery import Celery

from amends.definition.states import ENDED
from amends.diagnosis.saga.times.decisive import joined, without_gaps
from amends.diagnosis.saga.times.moments import pauses_of
from amends.diagnosis.saga.times.reader import Reader
from amends.diagnosis.saga.times.run import Pauses, Run
from amends.diagnosis.saga.times.segments import Cause, Times
from amends.dispatch.routing import queue_of
from amends.log.queries.stage_state import at_hand, stage_at_hand
from amends.log.saga_state import Standing


def times_of(app: Celery, standing: Standing) -> Times:
    """Tell where the time of a saga went, from its start to its end or to now.

    app: whose routes name the queues of messages.
    standing: the saga at one moment, with its history.

    It is read from the events alone. Of one whose claims were written by an earlier release the time up to each claim is
    told as that in a queue.
    """
    itinerary, saga_id = standing.entry.itinerary, standing.entry.id

    @cache
    def queue(record: str) -> str | None:
        return queue_of(app, itinerary.records[record], saga_id)

    history, is_over = standing.history, standing.entry.status in ENDED
    end = _end(standing, is_over=is_over)
    reader = Reader(itinerary, queue, pauses_of(history, end))
    reader.read(history)
    last = _Now(reader, standing, end).last(is_over=is_over)
    start = _start(standing, reader.runs, end)
    path = joined(itinerary, start, reader.runs, last)
    segments = [each for run in [start, *reader.runs] for each in run.segments]
    return Times(
        start=start.first,
        end=end,
        is_over=is_over,
        segments=tuple(sorted(segments, key=lambda each: (each.start, each.end))),
        path=tuple(without_gaps(path, start.first, end)),
    )


def _end(standing: Standing, *, is_over: bool) -> float:
    """Return until when the saga is accounted for; a log's clock may have gone back."""
    moved = [event.at for event in standing.history if event.name != "step.late"]
    if is_over:
        ends = [event.at for event in standing.history if event.name == "saga.finished"]
        moved = moved[: moved.index(ends[-1]) + 1] if ends else moved
        return max(moved)
    return max(standing.now, *moved)


def _start(standing: Standing, runs: Sequence[Run], end: float) -> Run:
    """Return the run of the saga's start, which a delayed one has until it begins, or is touched before."""
    first = standing.history[0]
    run = Run(None, None, Pauses(intervals=()), first=first.at)
    begins = (first.details.get("begins") or 0) / 1000
    if begins > first.at:
        run.begin(Cause.DELAY, first.at)
        run.rest(min(begins, end, *(each.first for each in runs)))
    return run


class _Now:
    """What a saga is at in the end, at the end of its history."""

    def __init__(self, reader: Reader, standing: Standing, end: float) -> None:
        self._reader, self._standing, self._end = reader, standing, end

    def last(self, *, is_over: bool) -> Run:
        """Bring all runs to their end. Returns the one that ended the saga, or else has lasted the longest."""
        reader = self._reader
        if is_over:
            reader.open.clear()
            return reader.runs[-1]
        messages = self._messages()
        for path, sent in messages.items():
            if path not in reader.open and None not in reader.open:
                first = self._end if sent is None else min(sent, self._end)
                reader.run_at(path, first=first)
        since = {record: run.end for record, run in reader.open.items()}
        for record, run in reader.open.items():
            due = messages.get(record) if record else None
            run.rest(self._end, sent=due or self._end)
            reader.runs.append(run)
        if not since:
            reader.mark(self._end)
            return reader.runs[-1]
        return reader.open[min(since, key=lambda record: since[record])]

    def _messages(self) -> Mapping[str, float | None]:
        """Tell of the present records when their messages were to arrive; None where none is under way."""
        entry = self._standing.entry
        stage = stage_at_hand(entry)
        branches = stage.branches if stage else ()
        of_branches = {path: each for each in branches for path in each.paths}
        found: dict[str, float | None] = {}
        for record in at_hand(self._standing):
            message = of_branches.get(record, entry)
            found[record] = message.sent_at if message.dispatches else None
        return found
