"""Rules about the broker, and about its use."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from celery import Celery
from kombu.utils.url import maybe_sanitize_url, parse_url

from amends.backend.settings import Settings
from amends.diagnosis.deployment.destinations import Destination
from amends.diagnosis.deployment.findings import Problem, Rule, Unseen, error, warning
from amends.diagnosis.deployment.rabbitmq import RabbitServer, read_rabbitmq
from amends.diagnosis.deployment.redis_server import RedisServer, read_server

_VISIBILITY: Final = {"redis": 3600.0, "sqs": 1800.0}  # the defaults of kombu
_CONSUMER_TIMEOUT: Final = 1800.0  # RabbitMQ's default


@dataclass(frozen=True, kw_only=True)
class BrokerUse:
    """How an app uses its broker.

    `kind` is kombu's driver type: redis, amqp, sqs ... `consumer_timeouts` are those in seconds that the app declares its
    queues with, by queue. `places` are the databases, or virtual hosts, that the parts of the URL name.
    """

    url: str
    kind: str
    options: Mapping[str, Any]
    settings: Settings
    destinations: Sequence[Destination]
    consumer_timeouts: Mapping[str, float] = field(default_factory=dict)
    places: Sequence[str] = ()

    @property
    def longest(self) -> Destination | None:
        """The task that may run for longest."""
        return max(self.destinations, key=lambda each: each.limit, default=None)

    @property
    def confirms(self) -> bool:
        """Whether who publishes waits for the broker's confirmation."""
        return self.kind == "amqp" and bool(self.options.get("confirm_publish"))

    @property
    def held_for(self) -> float:
        """Seconds that a worker may hold a message: its countdown, and until its hard limit."""
        limit = self.longest.limit if self.longest else 0.0
        return self.settings.max_countdown + limit + self.settings.hard_limit_after


def read_broker_server(app: Celery, connection: Any) -> RedisServer | RabbitServer | None:
    """Ask a broker that is a Redis or a RabbitMQ about itself. Raises redis-py's errors."""
    url = sanitized(connection.as_uri())
    match connection.transport.driver_type:
        case "redis":
            return read_server(connection.default_channel.client, url)
        case "amqp":
            return read_rabbitmq(app, connection, url)
        case _:
            return None


def use_of(app: Celery, settings: Settings, destinations: Sequence[Destination]) -> BrokerUse:
    """Tell how an app uses its broker."""
    connection: Any = app.connection_for_write()
    return BrokerUse(
        url=sanitized(connection.as_uri()),
        kind=connection.transport.driver_type,
        options=app.conf.broker_transport_options or {},
        settings=settings,
        destinations=destinations,
        consumer_timeouts=dict(_consumer_timeouts(app)),
        places=sorted({_place(each) for each in connection.alt or ()}),
    )


def _place(url: str) -> str:
    place = str(parse_url(url).get("virtual_host") or "").strip("/")
    return "the default" if place in ("", "0") else place


def _consumer_timeouts(app: Celery) -> Iterator[tuple[str, float]]:
    queues: Any = app.amqp.queues
    for name, queue in queues.items():
        asked = (queue.queue_arguments or {}).get("x-consumer-timeout")
        if isinstance(asked, int):
            yield name, asked / 1000


def sanitized(url: str) -> str:
    """Return a URL without its password."""
    return str(maybe_sanitize_url(url))


@warning("broker.visibility_timeout", fine="no message is delivered again while a worker holds it")
def _visibility(use: BrokerUse) -> Iterator[Problem]:
    if use.kind not in _VISIBILITY:
        raise Unseen
    timeout = float(use.options.get("visibility_timeout", _VISIBILITY[use.kind]))
    where = "broker_transport_options"
    if use.held_for > timeout:
        longest = use.longest.task if use.longest else "none"
        yield Problem(
            what=f"the broker delivers a message again after {timeout:g} s (visibility_timeout), and a worker may hold one"
            f" for {use.held_for:g} s (amends_max_countdown, and the limits of {longest})",
            where=where,
            remedy=f"set visibility_timeout to more than {use.held_for:g}, or amends_max_countdown to less",
        )
    elif use.settings.max_countdown > timeout / 2:
        yield Problem(
            what=f"amends_max_countdown, {use.settings.max_countdown:g} s, is more than half of the broker's"
            f" visibility_timeout, {timeout:g} s: waiting messages are delivered again, and again",
            where=where,
            remedy=f"set amends_max_countdown to {timeout / 2:g} or less; longer waits are left to the saga log",
        )


@warning(
    "broker.consumer_timeout",
    fine="no message is held for longer than RabbitMQ's default consumer_timeout of 30 minutes, nor than that of its queue"
    " (what rabbitmq.conf says cannot be asked by AMQP, and is assumed to be the default)",
)
def _consumer_timeout(use: BrokerUse) -> Iterator[Problem]:
    if use.kind != "amqp":
        raise Unseen
    longest = use.longest.task if use.longest else "none"
    held = (
        f"a worker may hold a message for {use.held_for:g} s (amends_max_countdown, and the limits of {longest}),"
        " and RabbitMQ closes the channel of one that does so for longer than its consumer_timeout,"
    )
    remedy = f"to more than {use.held_for * 1000:.0f} ms, or lower amends_max_countdown"
    if use.held_for > _CONSUMER_TIMEOUT and not use.consumer_timeouts:
        yield Problem(
            what=f"{held} assumed to be its default of 30 minutes, as AMQP does not tell it",
            where=use.url,
            remedy=f"set consumer_timeout in rabbitmq.conf {remedy}",
        )
    for queue, timeout in use.consumer_timeouts.items():
        if use.held_for > timeout:
            yield Problem(
                what=f"{held} {timeout:g} s for the queue {queue}",
                where=use.url,
                remedy=f"set x-consumer-timeout of the queue {remedy}",
            )


@warning("broker.socket_timeout", fine="nothing waits without end for a broker that hangs")
def _socket_timeout(use: BrokerUse) -> Iterator[Problem]:
    if use.kind != "redis":
        raise Unseen
    if not use.options.get("socket_timeout"):
        yield Problem(
            what="whoever publishes to a broker that hangs waits without end",
            where="broker_transport_options",
            remedy="set socket_timeout and socket_connect_timeout there, to 5 s or so",
        )


@error("broker.parts", fine="the parts of the broker's URL lead to the same queues")
def _parts(use: BrokerUse) -> Iterator[Problem]:
    if len(use.places) > 1:
        yield Problem(
            what=f"the parts of the broker's URL name different databases, or virtual hosts: {', '.join(use.places)}; after a failover"
            " workers consume from one, and callers publish to another",
            where=use.url,
            remedy="write the same behind each host, as in sentinel://one:26379/2;sentinel://two:26379/2",
        )


@error("broker.queues", fine="every task has a queue that the app knows")
def _undeclared(use: BrokerUse) -> Iterator[Problem]:
    for each in use.destinations:
        if each.error:
            yield Problem(
                what=f"{each.task} cannot be sent: {each.error}",
                where="task_queues, task_routes",
                remedy="name its queue in task_queues, or set task_create_missing_queues",
            )


@warning("broker.eviction", fine="the broker's Redis evicts nothing")
def _eviction(server: RedisServer) -> Iterator[Problem]:
    if server.eviction_policy is None:
        raise Unseen
    if server.eviction_policy != "noeviction":
        yield Problem(
            what=f"the broker's Redis has maxmemory-policy {server.eviction_policy}: when it is full it evicts messages, and"
            " each of their sagas waits until a sweep finds that out",
            where=server.url,
            remedy="set maxmemory-policy to noeviction",
        )


@error("broker.away", fine="the broker answers")
def away(reason: str) -> Iterator[Problem]:
    """Say why the broker was not found."""
    if reason:
        yield Problem(
            what=f"the broker cannot be reached: {reason}",
            where="broker_url",
            remedy="start it, or set broker_url to where it is; sagas that were started meanwhile run when it is back",
        )


RULES: Final[Sequence[Rule[BrokerUse]]] = (
    *(_visibility, _consumer_timeout, _socket_timeout, _parts, _undeclared),
)
SERVER_RULES: Final[Sequence[Rule[RedisServer]]] = (_eviction,)
