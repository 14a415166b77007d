"""What remains of a saga as Celery's own canvas: a chain of its records, with `advance` as its error callback."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from collections.abc import Sequence
from typing import Any

from celery import Celery, chain
from celery.canvas import Signature

from amends.backend.settings import settings_of
from amends.definition.itinerary import Itinerary, RecordPlan
from amends.dispatch.messages import COPY_HEADER, advance_message, bounded, task_id
from amends.dispatch.routing import own_queue
from amends.log.answers import Publish


def publish_canvas(app: Celery, saga_id: str, what: Publish) -> None:
    """Publish it. Raises what Celery does with the broker away."""
    chained = canvas(app, saga_id, what)
    with bounded(app, wait=what.wait or None) as how:
        chained.apply_async(link_error=advance_message(app, saga_id, what.number), **how)


def canvas(app: Celery, saga_id: str, what: Publish) -> Signature[Any]:
    """Build the chain of these records, which is not published."""
    records = [what.itinerary.records[path] for path, _ in what.records]
    limits = _limits(app, what.itinerary, records)
    links = [
        _link(app, saga_id, record, what.number + n, tries, limits[n])
        for n, (record, (_, tries)) in enumerate(zip(records, what.records, strict=True))
    ]
    if what.copied_at:
        links[0].set(headers={COPY_HEADER: what.copied_at})
    return chain(*links)


def _limits(
    app: Celery, itinerary: Itinerary, records: Sequence[RecordPlan]
) -> list[tuple[float, float]]:
    """Return the soft and the hard limit of each link: of its step, and inline of all that may follow with it."""
    soft = [record.call.start_to_close_timeout for record in records]
    hard = [limit + settings_of(app).hard_limit_after for limit in soft]
    if itinerary.dispatch == "inline":
        soft, hard = ([sum(limits[n:]) for n in range(len(limits))] for limits in (soft, hard))
    return list(zip(soft, hard, strict=True))


def _link(
    app: Celery,
    saga_id: str,
    record: RecordPlan,
    number: int,
    tries: int,
    limits: tuple[float, float],
) -> Signature[Any]:
    call = record.call
    options = {
        "task_id": task_id(saga_id, number, record.path),
        "root_id": saga_id,
        "parent_id": saga_id,
        "retries": tries,
        "soft_time_limit": limits[0],
        "time_limit": limits[1],
        "queue": own_queue(app, call.queue, undoes=bool(record.compensates)),
        "priority": call.priority,
    }
    return app.signature(
        call.task,
        kwargs={"saga_id": saga_id, "step": record.path},
        immutable=True,
        options={name: value for name, value in options.items() if value is not None},
    )
