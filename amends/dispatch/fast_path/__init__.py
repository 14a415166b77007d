"""The same messages for less: the one door to what is private in Celery and kombu.

A message that goes this way equals the canvas's, header for header. Where it cannot (a tracer wraps what is passed by,
an app has its own way to publish, Celery or kombu are not as they were known) nothing is done here, and the caller
takes Celery's own way. Once anything in here has raised, this process does so from then on (see `Shortcut`).
"""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import json
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, TypeVar

from celery import Celery, Task
from celery import canvas as celery_canvas
from celery.app import amqp, base
from celery.app import task as celery_task
from celery.utils import nodenames
from kombu.exceptions import OperationalError

from amends.backend.client import client_of
from amends.backend.connection import is_original
from amends.backend.fast_path import Shortcut
from amends.backend.settings import Settings, celery_setting, settings_of
from amends.backend.url import nodes_of
from amends.dispatch.canvas import canvas
from amends.dispatch.fast_path.chain_template import ChainTemplate
from amends.dispatch.fast_path.stand_ins import CARRIER, ITEM, NUMBER, SAGA, Own
from amends.dispatch.messages import advance_message, producers_of
from amends.log.answers import Publish
from amends.log.delivery import Delivery
from amends.traces.carrier import AT_HAND, at_hand, header_members

T = TypeVar("T")

_ITEM: Final = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, kw_only=True)
class _Chain:
    """What the template of a chain depends on. Tries are mostly 0, so there are few of them."""

    app: Celery
    settings: Settings
    default_queue: str
    sends_events: bool
    digest: str
    is_traced: bool
    records: tuple[tuple[str, int], ...]
    what: Publish = field(compare=False)


def _needs() -> Iterator[tuple[object, str]]:
    """Name what a template needs of Celery."""
    for module, name in (
        (celery_task, "extract_exec_options"),
        (amqp, "task_message"),
        (nodenames, "anon_nodename"),
    ):
        yield module, name
    yield celery_canvas.chain, "prepare_steps"
    for name in ("send_task_message", "create_task_message", "as_task_v2", "router"):
        yield amqp.AMQP, name
    for name in ("thread_oid", "producer_pool"):
        yield base.Celery, name


_shortcut = Shortcut("messages", instead="Celery's canvas", needs=_needs)


def takes(app: Celery, what: Publish) -> bool:
    """Tell whether the message of a chain of these records goes this way.

    What waits is rare, and the broker may have its own way with it (Celery's native delayed delivery). Headers of its own
    are as rare.
    """
    if (
        what.wait
        or what.copied_at
        or what.brought
        or not settings_of(app).fast_path
        or not _shortcut.is_on
    ):
        return False
    first = what.itinerary.records[what.records[0][0]]
    return bool(_tried(lambda: _may_prepare(app, app.tasks.get(first.call.task))))


def _may_prepare(app: Celery, task: Any) -> bool:
    """Tell whether a prepared message of this task is the very one that Celery would publish.

    A library that traces calls wraps what is passed by here, and would miss the message.
    """
    return (
        is_original(app.send_task, "celery.app.base")
        and is_original(Task.apply_async, "celery.app.task")
        and _is_published_as_known(type(task).__mro__)
        and task.expires is None  # it is a time from now
        and app.amqp.create_task_message == app.amqp.as_task_v2  # the protocol with headers
    )


@lru_cache(maxsize=1_000)
def _is_published_as_known(classes: tuple[type, ...]) -> bool:
    """Tell whether an activity's task has its own way to be published and Celery's alone: an app's class may add another."""
    own = [each for each in classes if "apply_async" in vars(each)]
    return own[1:] == [Task] and hasattr(own[0], "own_options")


def publish(app: Celery, saga_ids: Sequence[str], what: Publish) -> bool:
    """Publish a chain of these records for each saga; False where the caller has to.

    Some may be published then: of two messages of a record the log admits one. Raises kombu's ``OperationalError``
    with the broker away.
    """
    return _publish(app, what, [_own_of(each, what) for each in saga_ids])


def publish_branches(app: Celery, saga_id: str, chains: Sequence[Publish]) -> bool:
    """Publish chains of a saga that are `alike`, one after the other; False where the caller has to, as for `publish`.

    What a route raises for one does not stop the others: the first of that is raised in the end.
    """
    return _publish(app, chains[0], [_own_of(saga_id, each) for each in chains])


def alike(what: Publish) -> Hashable:
    """Return what chains of one definition have in common that differ by their numbers and items alone."""
    stands = _without_own(what)
    return tuple(stands.records), stands.wait, stands.copied_at, stands.brought


def deliveries(app: Celery, saga_ids: Sequence[str], what: Publish) -> list[Delivery] | None:
    """Prepare the message of a chain of these records for each saga, for the log's script to put into its queue.

    A transactional outbox: the script that makes a record due delivers its message, never one without the other, and a
    round trip less. None where the message has to be published: where the broker is not the log's Redis, where a message is
    more than one text in a list (see `redis_message`), and where this process has not published yet.
    """
    if celery_setting(app, "task_always_eager") or not takes(app, what):
        return None

    def prepare(channel: Any, key: str, texts: Sequence[str]) -> list[Delivery] | None:
        databases = _databases(app, channel)
        return databases and [Delivery(text=text, destination=(key, *databases)) for text in texts]

    try:
        owns = [_own_of(each, what) for each in saga_ids]
        return _tried(lambda: _template_of(app, what, owns).written(owns, prepare))
    except (AttributeError, OperationalError):  # the broker is away: who publishes says so
        return None


def _tried(way: Callable[[], T]) -> T | None:
    """Go a way; None where it turns out to be none, which ends the fast path for messages."""
    try:
        return way()
    except Exception as error:  # noqa: BLE001 - what libraries that are not known raise
        _shortcut.give_up(error)
        return None


def _publish(app: Celery, what: Publish, owns: Sequence[Own]) -> bool:
    return takes(app, what) and bool(_tried(lambda: _published(app, what, owns)))


def _published(app: Celery, what: Publish, owns: Sequence[Own]) -> bool:
    template = _template_of(app, what, owns)
    if not template.write(owns):
        with producers_of(app).acquire(block=True) as producer:
            template.send(owns, producer)
    return True


def _template_of(app: Celery, what: Publish, owns: Sequence[Own]) -> ChainTemplate:
    """Return the template of the chain of these records, made once for all sagas, numbers, items and traces.

    Without the headers of a trace where one of the messages is to have none.
    """
    stands = _without_own(what)
    of = _Chain(
        app=app,
        settings=settings_of(app),
        default_queue=celery_setting(app, "task_default_queue"),
        sends_events=bool(celery_setting(app, "task_send_sent_event")),
        digest=what.itinerary.digest,
        is_traced=all(own.trace for own in owns),
        records=tuple(stands.records),
        what=stands,
    )
    return _template(of)


@lru_cache(maxsize=1_000)
def _template(of: _Chain) -> ChainTemplate:
    with at_hand({SAGA: json.dumps(CARRIER)} if of.is_traced else {}):
        chained, link_error = canvas(of.app, SAGA, of.what), advance_message(of.app, SAGA, NUMBER)
    return ChainTemplate(of.app, chained, link_error)


def _databases(app: Celery, channel: Any) -> tuple[int, int] | None:
    """Return the database of the broker and that of the log; None where they are not in the same Redis."""
    broker = channel.pool.connection_kwargs
    is_named = broker.get("host") or broker.get("path")  # a Sentinel names it with each connection
    if channel.global_keyprefix or not is_named:
        return None
    log = _options(settings_of(app).backend)
    if not log:
        return None
    same = ("host", "port", "path", "username")
    if any(broker.get(name) != log.get(name) for name in same):
        return None
    return broker.get("db") or 0, log.get("db") or 0


@lru_cache(maxsize=10)
def _options(backend: str) -> dict[str, Any]:
    """Return the options of the connections to the Redis at this URL; none of a cluster, which is no broker."""
    if nodes_of(backend):
        return {}
    options: dict[str, Any] = client_of(backend).connection_pool.connection_kwargs
    return options


def _own_of(saga_id: str, what: Publish) -> Own:
    """Return what is a chain's own."""
    trace = header_members(saga_id) if AT_HAND.get() else ""
    return Own(saga_id, what.number, _item_of(what), trace)


def _without_own(what: Publish) -> Publish:
    """Return a chain with stand-ins: those of one definition with the same records and tries are equal in it."""
    if not _item_of(what):
        return replace(what, number=NUMBER)
    records = [(_ITEM.sub(f"[{ITEM}]", path), tries) for path, tries in what.records]
    return replace(what, number=NUMBER, records=records)


def _item_of(what: Publish) -> str:
    """Return the item that all records of a chain are for; '' where there is none."""
    found = _ITEM.search(what.records[0][0])
    if found is None:
        return ""
    is_of_all = all(f"[{found[1]}]" in path for path, _ in what.records)
    return found[1] if is_of_all else ""
