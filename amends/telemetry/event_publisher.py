"""Publishes events to the broker in the background."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Final

from celery import Celery

from amends.telemetry.flower_rows import RowEvent

HELD: Final = 0.5
"""Seconds that events are held at most for others to go with them."""
PATIENCE: Final = 0.1
"""Seconds that one waits for the broker to take an event, so that the next process's comes after it."""
_PAUSE: Final = 1.0
_KEPT: Final = 1_000  # events, while the broker is away

_making: Final = threading.Lock()
_logger = logging.getLogger(__name__)


class EventPublisher:
    """Publishes events in their order from a thread of its own; while the broker is away it keeps the last `keeps`."""

    def __init__(self, app: Celery, *, keeps: int = _KEPT) -> None:
        self._app = app
        self._changed = threading.Condition()
        self._waiting: deque[RowEvent] = deque(maxlen=keeps)
        self._sender = ""
        self._given = self._taken = 0
        self._is_late = self._is_asked = False
        threading.Thread(target=self._run, name="amends-monitors", daemon=True).start()

    def hold(self, events: Sequence[RowEvent], *, sender: str) -> None:
        """Take events to the broker with the next ones, or after a while."""
        with self._changed:
            self._waiting.extend(events)
            self._sender = sender
            self._changed.notify_all()

    def take(self, events: Sequence[RowEvent], *, sender: str) -> None:
        """Take events to the broker, and those that are held; returns when it has them, or soon where it is away or slow."""
        with self._changed:
            self._waiting.extend(events)
            if not self._waiting:
                return
            self._sender = sender
            self._is_asked = True
            self._given += 1
            number = self._given
            self._changed.notify_all()
            if not self._is_late:
                self._is_late = not self._changed.wait_for(
                    lambda: self._is_late or self._taken >= number, timeout=PATIENCE
                )

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                self._changed.wait_for(lambda: self._is_asked, timeout=HELD)
                self._is_asked = False
                events, sender, number = list(self._waiting), self._sender, self._given
                self._waiting.clear()
            try:
                _publish(self._app, events, sender)
            except Exception as error:  # noqa: BLE001 - whatever the transport raises
                self._keep(events, error)
                time.sleep(_PAUSE)
                continue
            with self._changed:
                self._taken, self._is_late = number, False
                self._changed.notify_all()

    def _keep(self, events: Sequence[RowEvent], error: Exception) -> None:
        with self._changed:
            if not self._is_late:
                _logger.warning("monitors hear of sagas later: the broker is away: %s", error)
            self._waiting = deque([*events, *self._waiting], maxlen=self._waiting.maxlen)
            self._is_late = True
            self._changed.notify_all()


def _publish(app: Celery, events: Sequence[RowEvent], sender: str) -> None:
    """Publish events in one message, as Celery's workers do with theirs."""
    with app.amqp.producer_pool.acquire(block=True) as producer:
        dispatcher = app.events.Dispatcher(
            producer.connection,
            hostname=sender,
            channel=producer.channel,
            buffer_while_offline=False,
            buffer_group=frozenset({"task"}),
            buffer_limit=len(events) + 1,
        )
        for type_, fields in events:
            dispatcher.send(type_, **fields)
        dispatcher.flush(errors=False)


def event_publisher_of(app: Celery) -> EventPublisher:
    """Return this process's publisher for an app."""
    with _making:
        return _event_publisher(app, os.getpid())


@cache
def _event_publisher(app: Celery, pid: int) -> EventPublisher:  # noqa: ARG001 - a forked child gets its own
    return EventPublisher(app)
