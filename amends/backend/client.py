"""The clients of this process of the Redis that the settings name."""

import os
from functools import cache
from typing import Any

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from amends.errors import ConfigurationError


def client_of(backend: str) -> redis.Redis:
    """Return this process's client of the Redis at this URL."""
    return _client(backend, os.getpid())


@cache
def _client(backend: str, pid: int) -> redis.Redis:  # noqa: ARG001 - a forked child gets its own
    if backend.startswith("memory://"):
        return _in_memory(backend)
    # redis-py's defaults, 10 repeats of 5 s, would hang a claim for a minute.
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_connect_timeout": 1.0,
        "socket_timeout": 1.0,
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=2),
    }
    return redis.Redis.from_url(backend, **options)


def impatient_client_of(backend: str, *, patience: float = 0.25) -> redis.Redis:
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
    return redis.Redis.from_url(backend, **options)


def _in_memory(backend: str) -> redis.Redis:
    try:
        from fakeredis import FakeRedis, FakeServer  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise ConfigurationError(
            f"amends_backend {backend!r} keeps the saga log in this process, for tests: pip install 'amends[testing]'"
        ) from error
    return FakeRedis(server=FakeServer(), decode_responses=True)
