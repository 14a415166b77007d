"""A breaker whose Redis is in this process, by a clock that is moved."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery

from amends import CircuitBreaker
from amends.backend.client import client_of
from amends.testing.clock import Clock, keep_time
from tests.support.app import in_process_app


class ServerError(Exception):
    """What the service raises when it is down."""


@pytest.fixture
def clock() -> Clock:
    return Clock(1_700_000_000.0)


@pytest.fixture
def app(clock: Clock) -> Iterator[Celery]:
    """Give an app of its own, current in this thread."""
    with in_process_app("breakers") as app:
        keep_time(client_of(app.conf.amends_backend), clock)
        yield app


@pytest.fixture
def server_error() -> type[Exception]:
    return ServerError


@pytest.fixture
def define(app: Celery) -> Callable[..., CircuitBreaker]:
    """Give a function that defines a breaker of a name that no other test has."""

    def define(**options: Any) -> CircuitBreaker:
        return CircuitBreaker(uuid.uuid4().hex, **{"failure_on": (ServerError,), **options})

    return define


@pytest.fixture
def fail() -> Callable[..., None]:
    """Give a function that lets calls fail."""

    def fail(breaker: CircuitBreaker, times: int = 1, **attributes: Any) -> None:
        error = ServerError("down")
        vars(error).update(attributes)
        for _ in range(times):
            with pytest.raises(ServerError), breaker:
                raise error

    return fail
