"""The one way in: read from the log what remains of a saga, and publish it as a chain."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from celery import Celery, Task, chain, shared_task
from celery.canvas import Signature

from amends.answers import Publish
from amends.config import Settings, settings_of
from amends.errors import LogUnavailable
from amends.itinerary import Itinerary, RecordPlan
from amends.log import log_of
from amends.messages import (
    ADVANCE,
    advance_message,
    own_queue,
    publishing,
    task_id,
)
from amends.preparation import NUMBER, SAGA, PreparedChain, may_prepare

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
    publish_many(app, [saga_id], what)


def publish_many(app: Celery, saga_ids: Sequence[str], what: Publish) -> None:
    """`publish` for many sagas of one definition that come to the same."""
    if app.conf.task_always_eager:
        for saga_id in saga_ids:
            run_here(app, saga_id)
        return
    first = what.itinerary.records[what.records[0][0]]
    with publishing():
        # What waits is rare, and the broker may have its own way with it (Celery's native delayed delivery).
        if what.wait or not may_prepare(app, app.tasks.get(first.call.task)):
            for saga_id in saga_ids:
                publish_canvas(app, saga_id, what)
            return
        prepared = _prepared(_chain_of(app, what))
        with app.producer_or_acquire() as producer:
            prepared.send(saga_ids, what.number, producer)


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
    sends_events: bool
    digest: str
    records: tuple[tuple[str, int], ...]
    what: Publish = field(compare=False)


def _chain_of(app: Celery, what: Publish) -> _Chain:
    return _Chain(
        app=app,
        settings=settings_of(app),
        sends_events=bool(app.conf.task_send_sent_event),
        digest=what.itinerary.digest,
        records=tuple(what.records),
        what=replace(what, number=NUMBER),
    )


@lru_cache(maxsize=1_000)
def _prepared(of: _Chain) -> PreparedChain:
    canvas = _canvas(of.app, SAGA, of.what)
    return PreparedChain(of.app, canvas, advance_message(of.app, SAGA, NUMBER))


def _canvas(app: Celery, saga_id: str, what: Publish) -> Signature[Any]:
    records = [what.itinerary.records[path] for path, _ in what.records]
    limits = _limits(app, what.itinerary, records)
    links = [
        _link(app, saga_id, record, what.number + n, tries, limits[n])
        for n, (record, (_, tries)) in enumerate(zip(records, what.records, strict=True))
    ]
    return chain(*links)


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
