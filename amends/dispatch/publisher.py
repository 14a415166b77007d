"""Publishing what remains of a saga as a chain, by a message that is prepared where that is the very same."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from celery import Celery, chain
from celery.canvas import Signature

from amends.backend.settings import Settings, celery_setting, settings_of
from amends.definition.itinerary import Itinerary, RecordPlan
from amends.dispatch.fast_path.chain_template import NUMBER, SAGA, ChainTemplate, may_prepare
from amends.dispatch.messages import advance_message, publishing, task_id
from amends.dispatch.routing import own_queue
from amends.log.remaining import Publish


def publish_chains(app: Celery, saga_ids: Sequence[str], what: Publish) -> None:
    """Publish a chain of these records for each saga, with `advance` as its error callback.

    Raises kombu's ``OperationalError`` with the broker away.
    """
    with publishing():
        if not is_prepared(app, what):
            for saga_id in saga_ids:
                publish_canvas(app, saga_id, what)
            return
        prepared = chain_template(app, what)
        if prepared.write(saga_ids, what.number):
            return
        with app.producer_or_acquire() as producer:
            prepared.send(saga_ids, what.number, producer)


def is_prepared(app: Celery, what: Publish) -> bool:
    """Tell whether a prepared message is what Celery would publish.

    What waits is rare, and the broker may have its own way with it (Celery's native delayed delivery).
    """
    first = what.itinerary.records[what.records[0][0]]
    return not what.wait and may_prepare(app, app.tasks.get(first.call.task))


def publish_canvas(app: Celery, saga_id: str, what: Publish) -> None:
    """Publish what `publish` does as the canvas that it stands for."""
    options: dict[str, Any] = {"countdown": what.wait} if what.wait else {}
    canvas = _canvas(app, saga_id, what)
    canvas.apply_async(link_error=advance_message(app, saga_id, what.number), **options)


@dataclass(frozen=True, kw_only=True)
class _Chain:
    """What a prepared chain depends on. Tries are mostly 0, so there are few of them."""

    app: Celery
    settings: Settings
    default_queue: str
    sends_events: bool
    digest: str
    records: tuple[tuple[str, int], ...]
    what: Publish = field(compare=False)


def chain_template(app: Celery, what: Publish) -> ChainTemplate:
    """Prepare the chain of these records for any saga and number, once."""
    of = _Chain(
        app=app,
        settings=settings_of(app),
        default_queue=celery_setting(app, "task_default_queue"),
        sends_events=bool(celery_setting(app, "task_send_sent_event")),
        digest=what.itinerary.digest,
        records=tuple(what.records),
        what=what,
    )
    return _template(of)


@lru_cache(maxsize=1_000)
def _template(of: _Chain) -> ChainTemplate:
    canvas = _canvas(of.app, SAGA, replace(of.what, number=NUMBER))
    return ChainTemplate(of.app, canvas, advance_message(of.app, SAGA, NUMBER))


def _canvas(app: Celery, saga_id: str, what: Publish) -> Signature[Any]:
    records = [what.itinerary.records[path] for path, _ in what.records]
    limits = _limits(app, what.itinerary, records)
    links = [
        _link(app, saga_id, record, what.number + n, tries, limits[n])
        for n, (record, (_, tries)) in enumerate(zip(records, what.records, strict=True))
    ]
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
        "queue": own_queue(app, record),
        "priority": call.priority,
    }
    return app.signature(
        call.task,
        kwargs={"saga_id": saga_id, "step": record.path},
        immutable=True,
        options={name: value for name, value in options.items() if value is not None},
    )
