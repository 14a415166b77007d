"""Which queue a message goes to."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from typing import Any

from celery import Celery

from amends.backend.settings import celery_setting, compensation_queue
from amends.definition.itinerary import RecordPlan


def own_queue(app: Celery, queue: str | None, *, undoes: bool) -> str | None:
    """Name the queue that an activity's message is sent to; None where Celery's routes decide.

    queue: the activity's own, if it has one.
    undoes: whether it is a compensation.
    """
    return queue or (compensation_queue(app) if undoes else None)


def queue_of(app: Celery, record: RecordPlan) -> str | None:
    """Name the queue that a record's message goes to; None where a route names no queue."""
    if queue := own_queue(app, record.call.queue, undoes=bool(record.compensates)):
        return queue
    router: Any = app.amqp.router
    if not router.routes:
        return str(celery_setting(app, "task_default_queue"))
    routed = router.route({}, record.call.task).get("queue")
    return getattr(routed, "name", None)


def queues_in_use(app: Celery) -> list[str]:
    """Name the queues that the app declares, and those that its activities' messages go to."""
    names: set[Any] = {queue.name for queue in app.amqp.queues.values()}
    names.add(compensation_queue(app))
    for task in app.tasks.values():
        activity = getattr(task, "activity", None)
        if activity is not None:
            routed = app.amqp.router.route({}, task.name).get("queue")
            names.add(activity.queue or getattr(routed, "name", None))
    return sorted(names - {None})
