"""The clients of this process of the Redis, or the cluster, that the settings name."""

import os
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry

from amends.backend.cluster import Cluster
from amends.backend.sentinel import primary_of
from amends.backend.url import nodes_of
from amends.errors import ConfigurationError

Client = redis.Redis | Cluster


def client_of(backend: str) -> Client:
    """Return this process's client of the Redis at this URL."""
    return _client(backend, os.getpid())


@cache
def _client(backend: str, pid: int) -> Client:  # noqa: ARG001 - a forked child gets its own
    if backend.startswith("memory://"):
        return _in_memory(backend)
    # redis-py's defaults, 10 repeats of 5 s, would hang a claim for a minute.
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_connect_timeout": 1.0,
        "socket_timeout": 1.0,
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=2),
    }
    return _made(backend, options)


def is_in_memory(client: Client) -> bool:
    """Return whether a client's data is in this process, for tests."""
    return type(client).__module__.partition(".")[0] == "fakeredis"


def impatient_client_of(backend: str, *, patience: float = 0.25) -> Client:
    """Return a client that gives up after so many seconds: what it is for can do without an answer.

    It is a new one each time. In memory it is this process's one, whose data it shares.
    """
    if backend.startswith("memory://"):
        return client_of(backend)
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_connect_timeout": patience,
        "socket_timeout": patience,
        "retry": Retry(NoBackoff(), retries=0),
    }
    return _made(backend, options)


def _made(backend: str, options: dict[str, Any]) -> Client:
    if nodes := nodes_of(backend):
        return Cluster(partial(_connect, nodes, options))
    options["redis_connect_func"] = _connect_and_greet
    if sentinels := nodes_of(backend, "sentinel"):
        return primary_of(sentinels, options)
    return redis.Redis.from_url(backend, **options)


def _connect_and_greet(connection: Any) -> None:
    connection.on_connect()
    _greet(connection)


def _greet(connection: Any) -> None:
    """Ask a new connection for nothing. Raises redis-py's errors.

    Before a client has named its user, Redis 7.0 answers a request of more than ten arguments, or with one of more than
    16 KiB, by closing the connection, so that a missing password would look like an outage. Redis 6.2 and Valkey 9 do not.
    """
    connection.send_command("PING", check_health=False)
    connection.read_response()


def _connect(nodes: list[str], options: dict[str, Any]) -> RedisCluster:
    """Make redis-py's client of a cluster by any of its nodes. A node that is away takes only its own slots along."""
    node: Any = ClusterNode  # redis-py does not type it
    others = [node(place.hostname, place.port or 6379) for place in map(urlsplit, nodes[1:])]
    how: dict[str, Any] = {
        "startup_nodes": others,
        "require_full_coverage": False,
        "redis_connect_func": _greet,  # which redis-py calls when it has connected
    }
    client: RedisCluster = RedisCluster.from_url(nodes[0], **how, **options)
    return client


def _in_memory(backend: str) -> redis.Redis:
    try:
        from fakeredis import FakeRedis, FakeServer  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise ConfigurationError(
            f"amends_backend {backend!r} keeps the saga log in this process, for tests: pip install 'amends[testing]'"
        ) from error
    return FakeRedis(server=FakeServer(), decode_responses=True)
