"""Which queue a message goes to."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from collections.abc import Sequence
from typing import Any, Final

from celery import Celery
from celery.app.routes import MapRoute, Router

from amends.backend.settings import celery_setting, compensation_queue
from amends.definition.itinerary import Itinerary, RecordPlan
from amends.dispatch.messages import with_priority

EXAMPLE: Final = "example"
"""Stands for a saga's id and a record's path where routes are asked about no message."""


class Unroutable(Exception):  # noqa: N818 - it never leaves the engine
    """A function in ``task_routes`` raised."""


def own_queue(app: Celery, queue: str | None, *, undoes: bool) -> str | None:
    """Name the queue that an activity's message is sent to; None where Celery's routes decide.

    queue: the activity's own, if it has one.
    undoes: whether it is a compensation.
    """
    return queue or (compensation_queue(app) if undoes else None)


def queue_of(app: Celery, record: RecordPlan, saga_id: str) -> str | None:
    """Name the queue that a record's message goes to; None where a route names no queue, or raises.

    Whoever publishes says what it raises.
    """
    if queue := own_queue(app, record.call.queue, undoes=bool(record.compensates)):
        return queue
    router: Any = app.amqp.router
    if not router.routes:
        return str(celery_setting(app, "task_default_queue"))
    try:
        return queue_by_routes(app, record.call.task, saga_id=saga_id, path=record.path)
    except Exception:  # noqa: BLE001 - a function of the app's own decides
        return None


def queue_by_routes(
    app: Celery, task: str, *, saga_id: str, path: str | None, queue: str | None = None
) -> str | None:
    """Ask Celery's routes for a message's queue, with the arguments that the message has.

    path: of the record; None for the message of `advance`.
    queue: which was chosen before, if one was.

    Raises Celery's ``QueueNotFound``, and what a function in ``task_routes`` does.
    """
    kwargs = {"saga_id": saga_id} if path is None else {"saga_id": saga_id, "step": path}
    options = {"queue": queue} if queue else {}
    router: Any = app.amqp.router
    routed = router.route(options, task, (), kwargs, app.tasks.get(task)).get("queue")
    return getattr(routed, "name", None)


def is_routed_by_name(app: Celery) -> bool:
    """Return whether each message of a task is sent where the one before was: no function of the app's own decides."""
    router: Any = app.amqp.router
    return type(router) is Router and all(isinstance(each, MapRoute) for each in router.routes)  # type: ignore[attr-defined]


def check_route(app: Celery, record: RecordPlan, saga_id: str) -> None:
    """Raise what a function in ``task_routes`` raises for a record's message, before anything is written."""
    if not is_routed_by_name(app):
        queue = own_queue(app, record.call.queue, undoes=bool(record.compensates))
        queue_by_routes(app, record.call.task, saga_id=saga_id, path=record.path, queue=queue)


def check_first_routes(app: Celery, itinerary: Itinerary, saga_ids: Sequence[str]) -> None:
    """Raise what a function in ``task_routes`` raises for the first messages of these sagas."""
    router: Any = app.amqp.router
    first = itinerary.steps[0]
    if router.routes and not first.stands:
        for saga_id in saga_ids:
            check_route(app, itinerary.records[first.name], saga_id)


def watched_queue(app: Celery, record: RecordPlan | None, saga_id: str) -> tuple[str | None, str]:
    """Name the queue of a record's message, or of that of `amends.advance`, and what its watermark goes by.

    record: None for `amends.advance`.
    """
    priority: int | None = celery_setting(app, "task_default_priority")
    if record is None:
        queue: str | None = compensation_queue(app)
    else:
        queue = queue_of(app, record, saga_id)
        if record.call.priority is not None:
            priority = record.call.priority
    if queue is None or celery_setting(app, "task_inherit_parent_priority"):
        return queue, f"{queue or ''}|?"  # what no claim tells of: it has probes alone
    return queue, with_priority(queue, priority)


def queues_in_use(app: Celery) -> list[str]:
    """Name the queues that the app declares, and those that its activities' messages go to."""
    names: set[Any] = {queue.name for queue in app.amqp.queues.values()}
    names.add(compensation_queue(app))
    for task in app.tasks.values():
        activity = getattr(task, "activity", None)
        if activity is not None:
            names.add(activity.queue or _example_queue(app, task.name))
    return sorted(names - {None})


def _example_queue(app: Celery, task: str) -> str | None:
    """Name the queue of a message of this task, where that does not depend on the saga."""
    try:
        return queue_by_routes(app, task, saga_id=EXAMPLE, path=EXAMPLE)
    except Exception:  # noqa: BLE001 - a function of the app's own may know no such saga
        return None
