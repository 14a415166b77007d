"""Observers of transitions: telemetry subscribes, and the log imports none of it.

All of it is a hint. Where a process dies, or an answer of the log is lost, between a transition and
this, nothing tells of it; the history in the log has every event.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from celery import Celery

from amends.definition.states import SagaStatus
from amends.log.history import Event


class Transition:
    """One transition of a saga: what it wrote to the history, and where the saga was and is.

    Events are decoded lazily: few observers read more than `names`, those of the events in order.
    """

    def __init__(self, saga_id: str, head: Sequence[Any], texts: Sequence[str]) -> None:
        """Take what a script answers beside its answer, as ``lua/transition.lua`` says: head and events."""
        self.saga_id = saga_id
        self.names: Sequence[str] = head[4].split()
        self._head = head
        self._texts = texts

    @property
    def saga(self) -> str:
        """The saga's name."""
        return str(self._head[0])

    @property
    def was(self) -> SagaStatus | None:
        """Where the saga was; None where the transition started it."""
        was = self._head[1]
        return SagaStatus(was) if was else None

    @property
    def status(self) -> SagaStatus:
        """Where the saga is."""
        return SagaStatus(self._head[2])

    @property
    def created(self) -> float:
        """When the saga was started: seconds since 1970 by the log's clock."""
        return int(self._head[3]) / 1000

    @property
    def parent(self) -> str | None:
        """The id of the saga whose child it is; None of another, and where its end was told."""
        parent = self._head[5] if len(self._head) > 5 else ""  # noqa: PLR2004
        return parent.partition("|")[0] or None

    @property
    def trace(self) -> str:
        """The headers of the traces that the saga belongs to, JSON; '' if there are none."""
        return self._head[6] if len(self._head) > 6 else ""  # noqa: PLR2004

    @cached_property
    def events(self) -> Sequence[Event]:
        """Its events, in order."""
        return [Event.from_json(text) for text in self._texts]


class Memory(NamedTuple):
    """Where a worker keeps the last transitions that an app's log acknowledged to it, apart from the log.

    write: takes a place, a saga's id, and the first event of a transition as JSON.
    places: endless; each transition takes the next one.
    """

    app: Celery
    write: Callable[[int, bytes, bytes], object]
    places: Iterator[int]


Observer = Callable[[Celery, Transition], None]
Condition = Callable[[Transition], bool]

_observers: Final[list[tuple[Observer, Condition]]] = []
_memories: Final[list[Memory]] = []  # one at most
_logger = logging.getLogger(__name__)


def subscribe(observer: Observer, *, where: Condition = lambda _: True) -> None:
    """Tell this one of transitions from now on, after those that subscribed before.

    where: of which; asked of each, it costs less than an observer that has nothing to tell.
    """
    _observers.append((observer, where))


def keep_in(memory: Memory | None) -> None:
    """Keep transitions in this memory from now on, or in none."""
    _memories[:] = [] if memory is None else [memory]


def tell_observers(app: Celery, saga_id: str, head: Sequence[Any], events: Sequence[str]) -> None:
    """Call each observer for a transition. A failing observer is logged and affects nothing else."""
    for memory in _memories:
        if memory.app is app:
            try:
                memory.write(next(memory.places), saga_id.encode(), events[0].encode())
            except Exception:
                _logger.exception("saga %s: a transition is not remembered", saga_id)
    transition = Transition(saga_id, head, events)
    for observer, has_interest in _observers:
        try:
            if has_interest(transition):
                observer(app, transition)
        except Exception:
            _logger.exception("saga %s: %s failed", saga_id, observer.__name__)
