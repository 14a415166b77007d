"""The one way in: read from the log what remains of a saga, and publish it as a chain."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import time
from collections.abc import Callable
from typing import Any, Final

from celery import Celery, Task, chain, shared_task
from celery.canvas import Signature

from amends.answers import Publish
from amends.config import settings_of
from amends.errors import LogUnavailable
from amends.itinerary import RecordPlan
from amends.log import log_of
from amends.messages import (
    ADVANCE,
    advance_message,
    compensation_queue,
    publishing,
    task_id,
)

_ANY: Final = 10.0**9  # seconds: no wait is too long where nothing is published


def advance(app: Celery, saga_id: str) -> None:
    """Publish what remains of a saga, forward or backward.

    Does nothing where nothing remains, or where a worker has claimed what is next: that claim is
    answered. Raises `LogUnavailable`, and kombu's ``OperationalError`` with the broker away.
    """
    answer = log_of(app).dispatch_saga(saga_id, longest_wait=settings_of(app).max_countdown)
    if isinstance(answer, Publish):
        publish(app, saga_id, answer)


def publish(app: Celery, saga_id: str, what: Publish) -> None:
    """Publish a chain of these records, with `advance` as its error callback.

    Under ``task_always_eager`` the saga runs to its end here instead: Celery's eager chain knows no
    error callback that goes on.
    """
    if app.conf.task_always_eager:
        run_here(app, saga_id)
        return
    links = [
        _link(app, saga_id, what.itinerary.records[path], number, tries)
        for number, (path, tries) in enumerate(what.records, what.number)
    ]
    canvas = chain(*links)
    options: dict[str, Any] = {"countdown": what.wait} if what.wait else {}
    with publishing():
        canvas.apply_async(link_error=advance_message(app, saga_id, what.number), **options)


def run_here(
    app: Celery, saga_id: str, *, sleep: Callable[[float], None] = time.sleep, **how: Any
) -> None:
    """Run a saga to its end in this process, without messages, through the same log.

    `sleep` waits for a retry. `how` goes to each task's ``perform_here``. Raises Celery's
    ``NotRegistered`` for an activity that this process does not know.
    """
    while isinstance(answer := log_of(app).dispatch_saga(saga_id, longest_wait=_ANY), Publish):
        path, tries = answer.records[0]
        if answer.wait:
            sleep(answer.wait)
        task: Any = app.tasks[answer.itinerary.records[path].call.task]
        task.perform_here(saga_id, path, retries=tries, **how)


def queue_of(app: Celery, record: RecordPlan) -> str | None:
    """Name the queue that a record's message goes to; None where a route names no queue."""
    if queue := _own_queue(app, record):
        return queue
    routed = app.amqp.router.route({}, record.call.task).get("queue")
    return getattr(routed, "name", None)


def _own_queue(app: Celery, record: RecordPlan) -> str | None:
    return record.call.queue or (compensation_queue(app) if record.undoes else None)


def _link(app: Celery, saga_id: str, record: RecordPlan, number: int, tries: int) -> Signature[Any]:
    call = record.call
    options = {
        "task_id": task_id(saga_id, number, record.path),
        "root_id": saga_id,
        "parent_id": saga_id,
        "retries": tries,
        "soft_time_limit": call.start_to_close_timeout,
        "time_limit": call.start_to_close_timeout + settings_of(app).hard_limit_after,
        "queue": _own_queue(app, record),
        "priority": call.priority,
    }
    return app.signature(
        call.task,
        kwargs={"saga_id": saga_id, "step": record.path},
        immutable=True,
        options={name: value for name, value in options.items() if value is not None},
    )


@shared_task(
    name=ADVANCE,
    bind=True,
    acks_late=True,
    reject_on_worker_lost=True,
    acks_on_failure_or_timeout=True,
    ignore_result=True,
    max_retries=None,
)
def advance_task(self: Task[Any, Any], saga_id: str) -> None:
    """Publish what remains of this saga."""
    try:
        advance(self.app, saga_id)
    except LogUnavailable as error:
        raise self.retry(exc=error, countdown=5.0) from error
