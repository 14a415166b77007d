"""The one way in: read from the log what remains of a saga, and publish it as a chain."""

from typing import Any

from celery import Celery, Task, chain, shared_task
from celery.canvas import Signature

from amends.answers import Publish, Running
from amends.config import settings_of
from amends.errors import LogUnavailable
from amends.itinerary import HARD_LIMIT_AFTER, RecordPlan
from amends.log import log_of
from amends.messages import ADVANCE, advance_message, compensation_queue, task_id


def advance(app: Celery, saga_id: str) -> Running | None:
    """Publish what remains of a saga, forward or backward.

    Does nothing where nothing remains, or where a worker has claimed what is next: that claim is
    answered. Raises `LogUnavailable`, and kombu's ``OperationalError`` with the broker away.
    """
    answer = log_of(app).dispatch_saga(saga_id, longest_wait=settings_of(app).max_countdown)
    if isinstance(answer, Publish):
        publish(app, saga_id, answer)
        return None
    return answer


def publish(app: Celery, saga_id: str, what: Publish) -> None:
    """Publish a chain of these records, with `advance` as its error callback."""
    links = [
        _link(app, saga_id, what.itinerary.records[path], number, tries)
        for number, (path, tries) in enumerate(what.records, what.number)
    ]
    canvas = chain(*links)
    options: dict[str, Any] = {"countdown": what.wait} if what.wait else {}
    canvas.apply_async(link_error=advance_message(app, saga_id, what.number), **options)


def _link(app: Celery, saga_id: str, record: RecordPlan, number: int, tries: int) -> Signature[Any]:
    call = record.call
    queue = call.queue or (compensation_queue(app) if record.undoes else None)
    options = {
        "task_id": task_id(saga_id, number, record.path),
        "root_id": saga_id,
        "parent_id": saga_id,
        "retries": tries,
        "soft_time_limit": call.start_to_close_timeout,
        "time_limit": call.start_to_close_timeout + HARD_LIMIT_AFTER,
        "queue": queue,
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
    ignore_result=True,
    max_retries=None,
)
def advance_task(self: Task[Any, Any], saga_id: str) -> None:
    """Publish what remains of this saga."""
    try:
        advance(self.app, saga_id)
    except LogUnavailable as error:
        raise self.retry(exc=error, countdown=5.0) from error
