"""A run of a record: from its first message to its end, in segments without a gap. Moments are seconds by the log's clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from amends.diagnosis.saga.times.segments import Cause, Segment
from amends.log.answers import LOOK_AGAIN
from amends.log.history import Event

_LOST: Final = frozenset({"WorkerLostError", "LogUnavailable"})
"""Errors by which a sweep, or who was broken off, ends an attempt that has lost its process."""

_PAUSABLE: Final = frozenset({Cause.QUEUE, Cause.RELAY, Cause.MESSAGE})


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Until when a record cannot go on, and why; `name` is as in `Segment`."""

    until: float
    cause: Cause
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Pauses:
    """When the saga was paused, in order."""

    intervals: Sequence[tuple[float, float]]

    def split(self, start: float, end: float) -> Iterator[tuple[float, float, bool]]:
        """Yield the parts of a time in order: begin, end, and whether the saga was paused then."""
        for paused, resumed in self.intervals:
            begins, ends = max(paused, start), min(resumed, end)
            if begins >= ends:
                continue
            if start < begins:
                yield start, begins, False
            yield begins, ends, True
            start = ends
        if start < end:
            yield start, end, False


class Run:
    """A run of a record; of the saga itself where `record` is None.

    `first` is the first moment that is known of it: when its message was to arrive, or else its first event. What lies between
    that and the end of what came before is told by `precede`. It `is_published` if `first` is known to be when that message was to
    arrive, or it has none. `before` held its first attempt.
    """

    def __init__(
        self,
        record: str | None,
        queue: str | None,
        pauses: Pauses,
        *,
        first: float,
        is_published: bool = True,
        before: Hold | None = None,
    ) -> None:
        self.record, self.first, self.end = record, first, first
        self.segments: list[Segment] = []
        self.hold: Hold | None = None  #: In force before its next attempt.
        self.doing: Segment | None = (
            None  #: What it does; its end is not known yet. None while its message is awaited.
        )
        self._queue, self._pauses = queue, pauses
        self._is_published, self._before = is_published, before

    @property
    def is_pending(self) -> bool:
        """Whether it waits for its message."""
        return self.doing is None

    def begin(self, cause: Cause, at: float, *, name: str | None = None) -> None:
        """Let it do something else than wait for a message."""
        self.doing = Segment(cause=cause, start=at, end=at, record=self.record, name=name)

    def claim(self, event: Event, *, sent: float | None) -> None:
        """Let an attempt begin.

        sent: when its message was to arrive, None if that is unknown.
        """
        self.rest(event.at, sent=sent)
        details = event.details
        self.doing = Segment(
            cause=Cause.CALL,
            start=event.at,
            end=event.at,
            record=self.record,
            attempt=details.get("attempt"),
            worker=details.get("worker"),
            pid=details.get("pid"),
        )

    def rest(self, at: float, *, sent: float | None = None, error: str | None = None) -> None:
        """End what it does; it waits for its message, or is at its end.

        sent: when that message was to arrive, of one that ends by a claim.
        error: the type of the error that an attempt ended with.
        """
        if self.doing is None:
            self._await_message(at, sent)
        else:
            is_lost = self.doing.cause is Cause.CALL and error in _LOST
            cause = Cause.LOST if is_lost else self.doing.cause
            self._add(replace(self.doing, cause=cause, start=self.end, end=at))
        self.doing, self.hold = None, None

    def put_off(self, hold: Hold) -> None:
        """Hold its next attempt."""
        self.hold = hold

    def precede(self, end: float) -> None:
        """Tell what came between the end of the run before and the first moment of this one."""
        after, self.segments = self.segments, []
        last, self.end = self.end, end
        self._await_message(self.first, self.first if self._is_published else None, self._before)
        self.segments += after
        self.end = last

    def _await_message(self, at: float, sent: float | None, hold: Hold | None = None) -> None:
        """Account for the time up to a claim: for its hold, until its message was published, and in its queue."""
        if hold := hold or self.hold:
            self._add(self._part(hold.cause, min(hold.until, at), hold.name))
        if sent is not None:
            sent = min(sent, at)
            is_long = sent - self.end >= LOOK_AGAIN
            self._add(self._part(Cause.MESSAGE if is_long else Cause.RELAY, sent))
        self._add(self._part(Cause.QUEUE, at, self._queue))

    def _part(self, cause: Cause, end: float, name: str | None = None) -> Segment:
        return Segment(cause=cause, start=self.end, end=end, record=self.record, name=name)

    def _add(self, segment: Segment) -> None:
        """Add what comes next, unless it is empty; a pause takes the place of what it kept from going on."""
        if segment.end <= self.end:
            return
        if segment.cause not in _PAUSABLE:
            self.segments.append(segment)
        else:
            for start, end, is_paused in self._pauses.split(self.end, segment.end):
                whole = replace(segment, start=start, end=end)
                paused = replace(whole, cause=Cause.PAUSED, name=None)
                self.segments.append(paused if is_paused else whole)
        self.end = segment.end
