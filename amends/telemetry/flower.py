"""The rows of sagas in Flower and its like, drawn by the process that moved the saga."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from celery import Celery

from amends.backend.settings import celery_setting, settings_of
from amends.log.observers import Transition
from amends.log.owner import WorkerProcess
from amends.telemetry.event_publisher import event_publisher_of
from amends.telemetry.flower_rows import RowEvent, row_events

_together: ContextVar[bool] = ContextVar("amends_events_together", default=False)


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
    worker = WorkerProcess.current
    return bool(worker.node) and worker.sends_events.value


def draw_row(app: Celery, transition: Transition) -> None:
    """Tell monitors what a transition changes in its saga's row, in one message, and mostly nothing.

    A worker does so while it sends the events of tasks. Another process tells of starts where it sends
    ``task-sent`` events (``task_send_sent_event``), and of what a person does there in any case: a row
    that failed stays so unless a monitor hears that it is tried again.
    """
    if _is_wanted(app, transition) and (events := row_events(transition)):
        draw(app, events)


def _is_wanted(app: Celery, transition: Transition) -> bool:
    if celery_setting(app, "task_always_eager") or not settings_of(app).monitor_events:
        return False
    if not WorkerProcess.current.node:
        return transition.was is not None or bool(celery_setting(app, "task_send_sent_event"))
    return True


def _sender() -> str:
    if not WorkerProcess.current.node:
        return f"amends@{socket.gethostname()}"
    return WorkerProcess.current.node
