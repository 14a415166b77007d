"""The tasks that sagas need, and the queues of their messages."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from celery import Celery

from amends.activities.definition import Compensation
from amends.activities.task import ActivityTask
from amends.backend.settings import compensation_queue
from amends.definition.itinerary import Itinerary, RecordPlan
from amends.dispatch.messages import ADVANCE
from amends.dispatch.routing import EXAMPLE, own_queue, queue_by_routes


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A task, and the queue its messages go to: None where a route names none.

    `error` tells why it cannot be sent there. `limit` is its start-to-close timeout. `sagas` are ids of live sagas whose
    definitions name it; none for one that this process defines.
    """

    task: str
    queue: str | None
    error: str = ""
    limit: float = 0.0
    sagas: Sequence[str] = ()


def own_tasks(app: Celery) -> dict[str, Any]:
    """Find the engine's tasks in an app, by name."""
    return {
        name: task
        for name, task in app.tasks.items()
        if isinstance(task, ActivityTask) or name == ADVANCE
    }


def destinations_here(app: Celery) -> Iterator[Destination]:
    """Yield where the tasks go that this process defines."""
    for name, task in sorted(own_tasks(app).items()):
        if name == ADVANCE:
            yield _destination(app, name, compensation_queue(app), path=None)
            continue
        activity = task.activity
        queue = own_queue(app, activity.queue, undoes=isinstance(activity, Compensation))
        limit = activity.start_to_close_timeout
        yield _destination(app, name, queue, path=EXAMPLE, limit=limit)


def destinations_in_use(
    app: Celery, in_use: Sequence[tuple[Itinerary, Sequence[str]]]
) -> Iterator[Destination]:
    """Yield where the tasks go that the definitions of live sagas name."""
    for itinerary, sagas in in_use:
        for record in itinerary.records.values():
            if record.step.wait:
                continue  # it has no task
            call = record.call
            queue = own_queue(app, call.queue, undoes=bool(record.compensates))
            limit = call.start_to_close_timeout
            path = _example_path(record)
            yield _destination(app, call.task, queue, path=path, limit=limit, sagas=sagas)


def _example_path(record: RecordPlan) -> str:
    """Return a path that a record's messages have: for items of a list that of the first one."""
    step = record.step.name
    return f"{step}[1]{record.path.removeprefix(step)}" if record.is_for_items else record.path


def _destination(
    app: Celery,
    task: str,
    queue: str | None,
    *,
    path: str | None,
    limit: float = 0.0,
    sagas: Sequence[str] = (),
) -> Destination:
    saga_id = sagas[0] if sagas else EXAMPLE
    try:
        name = queue_by_routes(app, task, saga_id=saga_id, path=path, queue=queue)
    except Exception as error:  # noqa: BLE001 - Celery's QueueNotFound, or whatever a route of the app raises
        return Destination(task=task, queue=queue, error=repr(error), limit=limit, sagas=sagas)
    return Destination(task=task, queue=name, limit=limit, sagas=sagas)
