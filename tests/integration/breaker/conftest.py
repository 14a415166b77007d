"""Breakers on a real Redis, in this process and in others."""

import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from amends import CircuitBreaker
from tests.integration.breaker.callers import ServerError
from tests.integration.breaker.redis_server import Server


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    """Give an app that is current in every thread and every forked child."""
    app = Celery("bench", broker="memory://", set_as_current=False)
    # A breaker gives Redis a quarter of a second, and goes on without it; a busy machine may need more.
    app.conf.amends_backend = f"{redis_url}/4?socket_timeout=30&socket_connect_timeout=30"
    app.set_current()
    app.set_default()
    yield app
    app.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """Give a client that looks at the breakers' keys."""
    with redis.Redis.from_url(f"{redis_url}/4", decode_responses=True) as client:
        yield client


@pytest.fixture
def define(app: Celery) -> Callable[..., CircuitBreaker]:
    def define(**options: Any) -> CircuitBreaker:
        return CircuitBreaker(uuid.uuid4().hex, **{"failure_on": (ServerError,), **options})

    return define


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Give a Redis of the test's own."""
    server = Server(tmp_path)
    server.start()
    yield server
    server.signal(signal.SIGCONT)
    server.kill()


@pytest.fixture
def let_it_pass(client: redis.Redis) -> Callable[[CircuitBreaker], None]:
    """Give a function that lets the time pass that a breaker waits for: of its opening, and of its leases."""

    def let_it_pass(breaker: CircuitBreaker) -> None:
        gate = breaker._gate()
        key, probes, _ = gate.shared.keys
        client.hset(key, "until", 1)
        for token in client.zrange(probes, 0, -1):
            client.zadd(probes, {token: 1})
        gate.forget()

    return let_it_pass
