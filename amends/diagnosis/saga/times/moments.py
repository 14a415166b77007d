"""The events of a history in order of time, and the times at which a saga was paused."""

from collections.abc import Sequence

from amends.diagnosis.saga.times.run import Pauses
from amends.log.history import Event


def pauses_of(history: Sequence[Event], end: float) -> Pauses:
    """Read when a saga was paused; one that is still paused is so until `end`."""
    found, since = [], None
    for event in history:
        if event.name == "saga.paused" and since is None:
            since = event.at
        elif event.name == "saga.resumed" and since is not None:
            found.append((since, event.at))
            since = None
    return Pauses(intervals=[*found, *([(since, end)] if since is not None else [])])


def in_time(history: Sequence[Event]) -> list[Event]:
    """Return events in order of time: one that stands for several is there as the first of them, too.

    Before that nothing was folded, and events are in their order; a clock that went back is taken to stand still.
    """
    whole: list[Event] = []
    folded: list[Event] = []
    clock = 0.0
    for event in history:
        if folded or event.first_at is not None:
            first = event.first_at
            folded.append(event)
            if first is not None:
                folded.append(Event(name=event.name, at=first, record=event.record, count=0))
            continue
        clock = max(clock, event.at)
        whole.append(event if event.at == clock else _at(event, clock))
    return [
        *whole,
        *(_at(each, max(each.at, clock)) for each in sorted(folded, key=lambda e: e.at)),
    ]


def _at(event: Event, at: float) -> Event:
    return Event(
        name=event.name, at=at, record=event.record, details=event.details, count=event.count
    )
