"""What remains of a saga as Celery's own canvas: a chain of its records, with `advance` as its error callback."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from collections.abc import Mapping, Sequence
from typing import Any, Final

from celery import Celery, chain
from celery.canvas import Signature

from amends.backend.settings import settings_of
from amends.definition.itinerary import Itinerary, RecordPlan
from amends.dispatch.messages import (
    COPY_HEADER,
    TOKEN_HEADER,
    advance_message,
    bounded,
    countdown_of,
    task_id,
    traced,
)
from amends.dispatch.routing import check_route, own_queue
from amends.log.answers import Publish
from amends.traces.carrier import message_headers
from amends.traces.sagas import publishing_for

INLINE_FOR: Final = 30.0
"""Seconds that a message goes on with further steps; it ends with the step at hand."""


def publish_canvas(app: Celery, saga_id: str, what: Publish) -> None:
    """Publish it. Raises what Celery does with the broker away."""
    publish_canvases(app, saga_id, [what])


def publish_canvases(app: Celery, saga_id: str, chains: Sequence[Publish]) -> None:
    """Publish several chains of a saga over one connection, whatever a route of the app's own raises for another one.

    Raises the first of that, and at once what Celery does with the broker away.
    """
    errors = []
    with publishing_for(app, saga_id), bounded(app) as how:
        for what in chains:
            if len(chains) > 1:
                try:
                    # First: to kombu a KeyError and an OSError are a lost connection, be they a route's.
                    check_route(app, what.itinerary.records[what.records[0][0]], saga_id)
                except Exception as error:  # noqa: BLE001 - a function of the app's own decides
                    errors.append(error)
                    continue
            _publish(app, saga_id, what, how)
    if errors:
        raise errors[0]


def _publish(app: Celery, saga_id: str, what: Publish, how: Mapping[str, Any]) -> None:
    countdown = {"countdown": countdown_of(app, what.wait)} if what.wait else {}
    options: dict[str, Any] = {**how, **countdown}
    link_error = advance_message(app, saga_id, what.number)
    canvas(app, saga_id, what).apply_async(link_error=link_error, **options)


def canvas(app: Celery, saga_id: str, what: Publish) -> Signature[Any]:
    """Build the chain of these records, which is not published."""
    records = [what.itinerary.records[path] for path, _ in what.records]
    limits = _limits(app, what.itinerary, records)
    links = [
        _link(app, saga_id, record, what.number + n, tries, limits[n])
        for n, (record, (_, tries)) in enumerate(zip(records, what.records, strict=True))
    ]
    told = {COPY_HEADER: what.copied_at, TOKEN_HEADER: what.brought}
    told = {name: value for name, value in told.items() if value}
    if headers := message_headers(saga_id, told):
        links[0].set(headers=headers)
    return chain(*links)


def publish_link(app: Celery, saga_id: str, link: dict[str, Any], **how: Any) -> None:
    """Publish a link of a chain, with these options. Raises what Celery does with the broker away."""
    with traced(app, saga_id) as headers:
        app.signature(link).apply_async(headers=headers, **how)


def reversed_links(app: Celery, saga_id: str, what: Publish) -> list[dict[str, Any]]:
    """Return the links of this chain as a message has them of what follows: the last one first."""
    chained: Any = canvas(app, saga_id, what)
    link_error = advance_message(app, saga_id, what.number)
    found: Any = chained.prepare_steps((), {}, chained.tasks, link_error=link_error, app=app)
    return list(found[0])


def _limits(
    app: Celery, itinerary: Itinerary, records: Sequence[RecordPlan]
) -> list[tuple[float, float]]:
    """Return the soft and the hard limit of each link: of its step, and inline of all that may follow with it.

    Of a saga with stages that is whatever may begin in the time of a message.
    """
    soft = [record.call.start_to_close_timeout for record in records]
    hard = [limit + settings_of(app).hard_limit_after for limit in soft]
    if itinerary.dispatch == "inline":
        soft, hard = ([sum(limits[n:]) for n in range(len(limits))] for limits in (soft, hard))
        if itinerary.wide_stages:
            longest = INLINE_FOR + itinerary.longest_timeout
            soft = [max(limit, longest) for limit in soft]
            hard = [max(limit, longest + settings_of(app).hard_limit_after) for limit in hard]
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
