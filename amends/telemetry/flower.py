"""The rows of sagas in Flower and its like, drawn by the process that moved the saga."""

import mmap
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from celery import Celery

from amends.backend.settings import celery_setting, settings_of
from amends.log.history import Transition
from amends.telemetry.event_publisher import event_publisher_of
from amends.telemetry.flower_rows import RowEvent, row_events

_NOT_A_WORKER: Final = 0
_OFF: Final = 1
_ON: Final = 2

_together: ContextVar[bool] = ContextVar("amends_events_together", default=False)


class _Worker:
    """What this worker is called, and a byte that says whether it sends task events.

    The processes of its pool share the byte: Flower switches the events on while they run.
    """

    node = ""
    events = mmap.mmap(-1, 1)


def enter_worker(node: str, *, sends_events: bool) -> None:
    """Note before the pool forks that this is a worker, and what Celery calls it."""
    _Worker.node = node
    switch_events(on=sends_events)


def switch_events(*, on: bool) -> None:
    """Note whether this worker sends task events, for all its processes."""
    _Worker.events[0] = _ON if on else _OFF


def leave_worker() -> None:
    """Note that this process is no worker any more."""
    _Worker.events[0] = _NOT_A_WORKER


@contextmanager
def in_one_message(app: Celery) -> Iterator[None]:
    """Tell monitors of all that happens inside in one message, at the end or where that is slow to come."""
    token = _together.set(True)
    try:
        yield
    finally:
        _together.reset(token)
        if sends_events():
            draw(app, ())


def draw(app: Celery, events: Sequence[RowEvent]) -> None:
    """Take events to the broker, or hold them `in_one_message`."""
    publisher = event_publisher_of(app)
    (publisher.hold if _together.get() else publisher.take)(events, sender=_sender())


def sends_events() -> bool:
    """Tell whether this is a worker that sends the events of tasks."""
    return _Worker.events[0] == _ON


def draw_row(app: Celery, transition: Transition) -> None:
    """Tell monitors what a transition changes in its saga's row, in one message, and mostly nothing.

    A worker does so while it sends the events of tasks. Another process tells of starts where it sends
    ``task-sent`` events (``task_send_sent_event``), and of what a person does there in any case: a row
    that failed stays so unless a monitor hears that it is tried again.
    """
    if _Worker.events[0] == _OFF:
        return
    if _is_wanted(app, transition) and (events := row_events(transition)):
        draw(app, events)


def _is_wanted(app: Celery, transition: Transition) -> bool:
    if celery_setting(app, "task_always_eager") or not settings_of(app).monitor_events:
        return False
    if _Worker.events[0] == _NOT_A_WORKER:
        return transition.was is not None or bool(celery_setting(app, "task_send_sent_event"))
    return True


def _sender() -> str:
    if _Worker.events[0] == _NOT_A_WORKER:
        return f"amends@{socket.gethostname()}"
    return _Worker.node
