"""The brokers of a run: the servers of each, and what Celery is told about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from redis import Redis, Sentinel

import celeryconfig
from demo.ports import LOOPBACK
from demo.programs import Program
from demo.servers import RabbitServer, RedisServer
from tests.chaos.logs import Log
from tests.chaos.queues import Queues, RabbitQueues, RedisQueues
from tests.support.redis_sentinels import MASTER, Watched

BROKERS: Final = (
    "redis",
    "redis-log",
    "redis-sentinel",
    "redis-options",
    "rabbitmq",
    "rabbitmq-quorum",
)
"""What BROKER may be: a Redis; the log's own; one under Sentinels; one with options; classic queues; quorum queues."""

_SENTINEL: Final = {"master_name": MASTER}
_OPTIONS: Final = {
    "global_keyprefix": "shop/",
    "priority_steps": [0, 3, 6, 9],
    "sep": ":",
    "queue_order_strategy": "priority",
}
_QUORUM: Final[Mapping[str, Any]] = {
    "task_default_queue_type": "quorum",
    "task_default_exchange_type": "topic",
    "broker_native_delayed_delivery_queue_type": "quorum",
    "task_queues": {
        name: {**queue, "exchange_type": "topic", "queue_arguments": {"x-queue-type": "quorum"}}
        for name, queue in celeryconfig.task_queues.items()
    },
}


def _redis(**options: Any) -> Mapping[str, Any]:
    return {"broker_transport_options": {**celeryconfig.broker_transport_options, **options}}


@dataclass(frozen=True, kw_only=True)
class Broker:
    """The broker of a run. Its settings are Celery's, where they are others than the order system has."""

    server: RedisServer | RabbitServer | Watched
    url: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    is_log: bool = False  #: Whether it is the log's own Redis, to which each worker has a line.

    @property
    def nodes(self) -> Sequence[Program]:
        """Its own programs."""
        if self.is_log:
            return ()
        return self.server.nodes if isinstance(self.server, Watched) else [self.server]

    @property
    def waits(self) -> Mapping[str, float]:
        """How long a client is to wait that must not wait for a frozen server until that is thawed."""
        if isinstance(self.server, RabbitServer):
            return {"read_timeout": 5.0, "write_timeout": 5.0, "connect_timeout": 2.0}
        return {"socket_timeout": 5.0, "socket_connect_timeout": 2.0}

    def queues(self, names: Sequence[str]) -> Queues:
        """Give hands on its queues."""
        if isinstance(self.server, RabbitServer):
            return RabbitQueues(self.server.port, names)
        options = self.settings.get("broker_transport_options", {})
        return RedisQueues(self._client, names, options)

    def _client(self, **timeouts: float) -> Any:
        if isinstance(self.server, Watched):
            places = [(LOOPBACK, each.port) for each in self.server.sentinels]
            sentinels: Any = Sentinel(places, **timeouts)  # type: ignore[no-untyped-call]
            return sentinels.master_for(MASTER, **timeouts)
        return Redis.from_url(self.url, **timeouts)


def broker_in(directory: Path, kind: str, log: Log, pool: str) -> Broker:
    """Make a broker, which does not run yet.

    kind: of `BROKERS`.
    log: which it is itself if it is ``redis-log``.
    pool: of the workers. With gevent and publisher confirms, Celery's workers stop for ever after a minute or so, without
        sagas too: a greenlet waits for the confirmation of an event, and all others for its mutex.
    """
    match kind:
        case "redis-log":
            assert isinstance(log.server, RedisServer)
            return Broker(server=log.server, url=log.url, is_log=True)
        case "redis-sentinel":
            apart = directory / "broker"
            apart.mkdir()
            watched = Watched(apart, replicas=1)
            return Broker(server=watched, url=f"{watched.url}/0", settings=_redis(**_SENTINEL))
        case "rabbitmq" | "rabbitmq-quorum":
            rabbit = RabbitServer("broker", directory=directory)
            confirms = {"broker_transport_options": {"confirm_publish": pool != "gevent"}}
            settings = {**_QUORUM, **confirms} if kind == "rabbitmq-quorum" else {}
            return Broker(server=rabbit, url=rabbit.url, settings=settings)
    redis = RedisServer("broker", directory=directory)
    given = {} if kind == "redis" else {**_redis(**_OPTIONS), "task_default_priority": 3}
    return Broker(server=redis, url=redis.url, settings=given)
