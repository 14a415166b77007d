"""How long a saga stood still although it could have moved.

The standstill between two events of a saga's history is the gap between them, less the time that is excused:

* the wait that the first event announced (``step.retrying``, ``step.waiting``);
* the time in which a child of it moved, whose own standstills are looked for as well;
* before a verification, the time that the receiver takes to know (``settle=``);
* the time in which the system could not move: no worker lived, or the log or the broker did not answer;
* the time in which a message waited in the queue of what came next, or in that of `advance`.

Excuses are sampled about twice a second (:mod:`tests.chaos.watch`). A sample speaks for the time until the next one,
and an excuse is granted if either end of that time has it. The time a message spends inside a worker is not
excused, nor is the time until a dead worker is noticed: that is what the figure is about.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from amends.definition.paths import without_item
from amends.log.history import Event


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The system at one moment: `at` is seconds since 1970, `queued` counts waiting messages by queue."""

    at: float
    log: bool = True
    broker: bool = True
    workers: tuple[str, ...] = ()
    queued: Mapping[str, int]

    def excuses(self, queues: Iterable[str]) -> bool:
        """Return whether a saga whose next message goes to one of these queues could not move."""
        away = not (self.log and self.broker and self.workers)
        return away or any(self.queued.get(queue, 0) for queue in queues)


@dataclass(frozen=True, kw_only=True)
class Standstill:
    """The time between two events of one saga: `gap` from one to the other, `seconds` of it without excuse."""

    saga_id: str
    seconds: float
    gap: float
    before: Event
    after: Event

    def __str__(self) -> str:
        ends = " and ".join(
            f"{event.name} ({event.record})" if event.record else event.name
            for event in (self.before, self.after)
        )
        return f"{self.seconds:.1f} s, saga {self.saga_id}, between {ends} ({self.gap:.1f} s apart)"


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The samples of a run, in order of time.

    `queue_of` has the queue of each record's messages by its path, `advance` that of `advance`, and `settles` the seconds
    before a verification by its path.
    """

    samples: Sequence[Sample]
    queue_of: Mapping[str, str]
    advance: str
    settles: Mapping[str, float] = field(default_factory=dict)

    def standstills(
        self, saga_id: str, history: Sequence[Event], *, moved: Sequence[float] = ()
    ) -> Iterator[Standstill]:
        """Yield one standstill for each two events of a saga that follow each other.

        moved: when a child of it moved, in seconds since 1970.
        """
        for before, after in pairwise(history):
            path = without_item(after.record or "")
            wait = max(planned_wait(before), self._settling(path, before, after))
            begin = min(
                after.at, max(before.at + wait, *(at for at in moved if at < after.at), 0.0)
            )
            queues = {self.advance, self.queue_of.get(path, self.advance)}
            excused = self._excused(begin, after.at, queues)
            yield Standstill(
                saga_id=saga_id,
                seconds=max(0.0, after.at - begin - excused),
                gap=after.at - before.at,
                before=before,
                after=after,
            )

    def _settling(self, path: str, before: Event, after: Event) -> float:
        """Return the seconds before the first question, or 0 if this is none."""
        is_first = after.name == "step.verifying" and before.record != after.record
        return self.settles.get(path, 0.0) if is_first else 0.0

    def _excused(self, begin: float, end: float, queues: Iterable[str]) -> float:
        """Return how many of the seconds from `begin` to `end` have an excuse."""
        first = max(0, bisect_right(self.samples, begin, key=lambda sample: sample.at) - 1)
        last = bisect_right(self.samples, end, key=lambda sample: sample.at) + 1
        return sum(
            max(0.0, min(end, following.at) - max(begin, sample.at))
            for sample, following in pairwise(self.samples[first:last])
            if sample.excuses(queues) or following.excuses(queues)
        )


def planned_wait(event: Event) -> float:
    """Return the seconds that a saga announces at this event to wait."""
    if event.name == "step.waiting" and "until" in event.details:
        return float(event.details["until"]) / 1000 - event.at
    return float(event.details.get("wait", 0)) / 1000 if event.name == "step.retrying" else 0.0
