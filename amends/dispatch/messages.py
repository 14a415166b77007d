"""How the engine's messages look: ids and paths, never data."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from math import ceil
from types import MappingProxyType
from typing import Any, Final

from celery import Celery, Task, current_app
from celery.canvas import Signature
from celery.exceptions import Reject
from celery.utils.quorum_queues import detect_quorum_queues
from kombu.exceptions import OperationalError

from amends.backend.fast_path import is_lost_connection
from amends.backend.outage_lines import OUTAGE
from amends.backend.settings import celery_setting, compensation_queue
from amends.dispatch.producers import pool_of_producers
from amends.log.answers import Origin
from amends.traces.carrier import AT_HAND, message_headers
from amends.traces.sagas import publishing_for

ADVANCE: Final = "amends.advance"
"""The Celery task that publishes what remains of a saga. Its code is the coordinator's."""

TOKEN_HEADER: Final = "amends_token"  # noqa: S105 - a name
"""The header with the token of a claim whose answer never came."""

DEFERRALS_HEADER: Final = "amends_deferrals"
"""The header that counts how often a call of its own met an open circuit."""

COPY_HEADER: Final = "amends_copied_at"
"""The header of a message that replaces a lost one: `Publish.copied_at`."""

_DEATHS: Final = ("x-death", "x-first-death-", "x-last-death-")

_TOLD_EACH: Final = 1.0  # seconds
_told_at: Final[dict[str, float]] = {}  # of a queue that this process consumes

_TRIES_AGAIN: Final = 1

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})

_producers: Final[dict[Celery, tuple[Any, int, Any]]] = {}

_logger = logging.getLogger(__name__)


def task_id(saga_id: str, number: int, path: str) -> str:
    """Name a message so that a monitor can be read: ``<saga id>.<n>.<step>``, ``.undo`` and so on."""
    return f"{saga_id}.{number}.{path.replace(':', '.')}"


def origin_of(task: Task[Any, Any]) -> Origin:
    """Return what a claim tells of its message.

    For the watermark a process tells of each queue once a second, so that it costs nothing, but of a copy always.
    """
    copied_at = (task.request.headers or {}).get(COPY_HEADER, "")
    copied_at = copied_at if isinstance(copied_at, str) and copied_at.isdecimal() else ""
    source: Mapping[str, Any] = task.request.delivery_info or {}
    name = _bound_queue(task.app, source.get("exchange") or "", source.get("routing_key") or "")
    queue = name and with_priority(name, source.get("priority"))
    now = time.monotonic()
    if not copied_at and now < _told_at.get(queue, 0.0) + _TOLD_EACH:
        return Origin(queue=name)
    _told_at[queue] = now
    return Origin(queue, copied_at, name)


def with_priority(queue: str, priority: int | None) -> str:
    """Name a queue for messages of a priority: they are handed out in order, and others between them."""
    return f"{queue}|{priority}" if priority else queue


@lru_cache(maxsize=100)
def _bound_queue(app: Celery, exchange: str, routing_key: str) -> str:
    if not exchange:  # the broker's default one, which knows queues by their names
        return routing_key
    bound = [
        queue.name
        for queue in app.amqp.queues.consume_from.values()
        if (queue.exchange.name, queue.routing_key) == (exchange, routing_key)
    ]
    return bound[0] if len(bound) == 1 else ""


def advance_message(app: Celery, saga_id: str, number: int) -> Signature[Any]:
    """Build the message that makes a saga go on, whatever remains of it."""
    options: dict[str, Any] = {
        "task_id": task_id(saga_id, number, "advance"),
        "queue": compensation_queue(app),
        "root_id": saga_id,
        "parent_id": saga_id,
    }
    # Celery publishes an error callback within the trace of its task, but for New Relic's: there it has ended by then.
    if AT_HAND.get() and "newrelic.agent" in sys.modules:
        options["headers"] = message_headers(saga_id)
    how: Any = {"kwargs": {"saga_id": saga_id}, "immutable": True, "options": options}
    return app.signature(ADVANCE, **how)


def producers_of(app: Celery) -> Any:
    """Return this process's pool of producers for sagas' messages; see `pool_of_producers`."""
    given: Any = (
        app.producer_pool
    )  # another one after a fork, and once the broker's settings have changed
    kept = _producers.get(app)
    if kept is None or kept[0] is not given or kept[1] != os.getpid():
        kept = _producers[app] = (given, os.getpid(), pool_of_producers(app))
    return kept[2]


@contextmanager
def bounded(app: Celery, *, wait: float | None = None) -> Iterator[dict[str, Any]]:
    """Give the options for ``apply_async`` by which it waits no longer for the broker than a few seconds.

    wait: seconds that the message is to wait, see `countdown_of`.
    """
    how: dict[str, Any] = {} if wait is None else {"countdown": countdown_of(app, wait)}
    if celery_setting(app, "task_always_eager"):
        yield how
        return
    with producers_of(app).acquire(block=True) as producer:
        yield {**how, "connection": producer.connection, "retry_policy": retry_policy(app)}


def retry_policy(app: Celery) -> dict[str, Any]:
    """Return how a publication is tried: as often as Celery is told to, but twice at most."""
    policy: dict[str, Any] = dict(celery_setting(app, "task_publish_retry_policy"))
    tries_again = policy.get("max_retries")
    policy["max_retries"] = _TRIES_AGAIN if tries_again is None else min(tries_again, _TRIES_AGAIN)
    return policy


@contextmanager
def traced(
    app: Celery, saga_id: str, headers: Mapping[str, Any] = _NONE
) -> Iterator[dict[str, Any]]:
    """Publish a saga's message inside as a part of its trace, if one is at hand. Yields the message's headers, these among them."""
    if not AT_HAND.get():
        yield {**headers}
        return
    with publishing_for(app, saga_id):
        yield message_headers(saga_id, headers)


@contextmanager
def publishing() -> Iterator[None]:
    """Publish inside, and have one error that says that the broker is away: kombu's ``OperationalError``."""
    try:
        yield
    except AttributeError as error:
        if not is_lost_connection(error):
            raise
        raise OperationalError(f"the connection to the broker was lost: {error}") from error


def plays_messages(app: Celery) -> bool:
    """Tell whether an app runs what is published at once, as a rehearsal's does: its errors are the caller's."""
    return celery_setting(app, "task_always_eager") or getattr(app, "plays_messages", False)


@contextmanager
def publishing_if_possible(saga_id: str) -> Iterator[None]:
    """Publish inside; where that fails, say why: the saga goes on when its due entry comes up.

    Whatever is raised stays here, be it a route's or a serializer's: what the task has done is recorded, and Celery
    would take the task for a failed one.
    """
    try:
        with publishing():
            yield
    except OperationalError as error:
        OUTAGE.warn(_logger, "saga %s goes on when due: the broker is away: %s", saga_id, error)
    except Exception:
        if plays_messages(current_app):
            raise
        _logger.exception(
            "saga %s goes on when it is due, and needs a mend: its message cannot be published",
            saga_id,
        )


def send_advance(app: Celery, saga_id: str, number: int) -> None:
    """Send it, if possible."""
    with publishing_if_possible(saga_id), traced(app, saga_id) as headers, bounded(app) as how:
        advance_message(app, saga_id, number).apply_async(headers=headers, **how)


def countdown_of(app: Celery, wait: float) -> float:
    """Return the countdown of a message that is to wait so many seconds: whole ones where the broker knows no others.

    With quorum queues RabbitMQ delays messages itself. Celery then cuts a countdown to seconds, and 0 is a ValueError
    of kombu's (``Celery.send_task`` in celery/app/base.py).
    """
    if not wait:
        return 0.0
    pool: Any = app.producer_pool
    is_delayed, _ = detect_quorum_queues(app, pool.connections.connection.transport.driver_type)
    return float(ceil(wait)) if is_delayed else wait


def headers_again(task: Task[Any, Any]) -> dict[str, Any]:
    """Return the headers of a task's message that is published again: without RabbitMQ's history of its dead letters.

    With quorum queues a message waits in queues that it leaves as a dead letter. By that history RabbitMQ before 4.0.1
    takes its next wait for a cycle, and drops it. Celery leaves these headers out since 5.6.3, unless headers are given.
    """
    given: Mapping[str, Any] = task.request.headers or {}
    return {name: value for name, value in given.items() if not name.startswith(_DEATHS)}


def publish_again(
    task: Task[Any, Any], error: Exception | None, *, tries: int, how: Mapping[str, Any]
) -> Exception:
    """Publish a saga's message again, by Celery's own retry; returns what says so to Celery."""
    request: Any = task.request
    request.retries = tries - 1
    try:
        with traced(task.app, request.kwargs["saga_id"], headers_again(task)) as headers:
            retry: Exception = task.retry(exc=error, throw=False, headers=headers, **how)
    except Reject as reject:
        # Celery's answer to whatever is raised in publishing. Raised, it would run the error callback.
        reason: Exception = reject.args[0]
        raise reason from reject
    return retry


def stop_chain(request: Any) -> None:
    """Let a task end without its chain's next link.

    `Ignore` would leave the task STARTED in Flower for ever.

    request: of the task.
    """
    request.chain = None


def is_in_saga(args: Any, kwargs: Any) -> bool:
    """Tell by a message's arguments whether it is a saga's."""
    return not args and bool(kwargs) and kwargs.keys() == {"saga_id", "step"}
