"""The segments that the time of a saga falls into. Moments are seconds since 1970 by the log's clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    """What a saga, or a record of it, spent its time on."""

    CALL = "call"
    """An attempt was made: from its claim until its result was in the log."""
    LOST = "lost"
    """An attempt was made and its process was lost: from its claim until a sweep noticed."""
    QUEUE = "queue"
    """A message was in its queue, or with a worker that was busy; `name` is the queue."""
    RELAY = "relay"
    """The engine was about to publish what came next."""
    MESSAGE = "message"
    """No message was under way for longer than a sweep waits: it was lost, or the process that was to publish it."""
    RETRY = "retry"
    """A record waited for its next attempt."""
    CIRCUIT = "circuit"
    """A record waited for its next attempt, as a circuit breaker let no call through; `name` is the breaker."""
    SIGNAL = "signal"
    """The saga waited for signals; `name` is the wait."""
    DELAY = "delay"
    """The saga waited for a time: of its delayed start, of a wait, or before a verification."""
    CHILD = "child"
    """The saga waited for a child of it; `name` is the child's step."""
    UNREGISTERED = "unregistered"
    """A message met a worker that did not know its task, and the next one followed later."""
    PAUSED = "paused"
    """An operator had paused the saga."""
    STUCK = "stuck"
    """The saga was stuck or parked, and waited for an operator."""
    ENDED = "ended"
    """The saga had ended, before its parent turned it back."""
    FOLDED = "folded"
    """Events were folded here: the history keeps their number, and not the time of each."""
    UNEXPLAINED = "unexplained"
    """The history does not say."""


UNACCOUNTED: Final = frozenset({Cause.FOLDED, Cause.UNEXPLAINED})
"""Causes that explain nothing."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a saga's time line.

    cause: what the time was spent on.
    start, end: when it began and ended.
    record: path of the record that it is about; None for the saga itself.
    attempt: number of the attempt, of a call and a lost one; None elsewhere.
    name: of the queue, the circuit breaker, the wait or the child's step; None where there is none, or it is unknown.
    worker: what Celery called the worker of an attempt; None where it is unknown.
    pid: id of the process of an attempt; None where it is unknown.
    """

    cause: Cause
    start: float
    end: float
    record: str | None = None
    attempt: int | None = None
    name: str | None = None
    worker: str | None = None
    pid: int | None = None

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class Share:
    """The time that a saga spent on one cause. `name` is as in `Segment`."""

    cause: Cause
    name: str | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Times:
    """Where the time of a saga went.

    start: when it was started; of a delayed start, when that was asked for.
    end: when it ended, or now.
    is_over: whether it has ended.
    segments: of all records, by their start: the bars of a time line. Those of branches that ran at once overlap.
    path: segments from `start` to `end` without a gap or an overlap: of branches that ran at once, those of the branch that the
        others were waited for. Its times add up to `total`.
    """

    start: float
    end: float
    is_over: bool
    segments: tuple[Segment, ...]
    path: tuple[Segment, ...]

    @property
    def total(self) -> float:
        """Seconds from its start to its end, or to now."""
        return self.end - self.start

    @property
    def explained(self) -> float:
        """Seconds of the total whose cause is known."""
        return sum(each.seconds for each in self.path if each.cause not in UNACCOUNTED)

    @property
    def is_folded(self) -> bool:
        """Whether the history was folded, so that each share but the folded one is the least that it can be."""
        return any(each.cause is Cause.FOLDED for each in self.path)

    @property
    def shares(self) -> tuple[Share, ...]:
        """The total by cause and name, the longest first."""
        return shares_of(self.path)

    @property
    def by_record(self) -> Mapping[str, tuple[Share, ...]]:
        """The time of each record by cause and name, the longest first, by its path: of all segments, not of the path alone."""
        found: defaultdict[str, list[Segment]] = defaultdict(list)
        for each in self.segments:
            if each.record is not None:
                found[each.record].append(each)
        return {record: shares_of(segments) for record, segments in found.items()}


def shares_of(segments: Iterable[Segment]) -> tuple[Share, ...]:
    """Add segments up by cause and name, the longest first."""
    sums: defaultdict[tuple[Cause, str | None], float] = defaultdict(float)
    for each in segments:
        sums[each.cause, each.name] += each.seconds
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    return tuple(Share(cause=cause, name=name, seconds=s) for (cause, name), s in ranked if s > 0)
