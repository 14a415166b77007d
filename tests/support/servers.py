"""Servers and the whole system of a test's own: empty, ready for work, and ended with their context."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.ports import free_port
from demo.programs import NotInstalled, running
from demo.servers import RabbitServer, find_rabbitmq, own_redis
from demo.system import running_system


@contextlib.contextmanager
def shared_redis(directory: Path) -> Iterator[str]:
    """Yield the URL in AMENDS_BACKEND, or that of a Redis of the test's own."""
    if url := os.environ.get("AMENDS_BACKEND"):
        yield url
    else:
        with own_redis(directory) as url:
            yield url


@contextlib.contextmanager
def own_rabbitmq(directory: Path) -> Iterator[str]:
    """Run a RabbitMQ and yield its URL, or skip the test if none is installed."""
    skip_without(find_rabbitmq)
    server = RabbitServer("rabbitmq", directory=directory)
    with running(server):
        yield server.url


@contextlib.contextmanager
def whole_system(
    directory: Path, *, flower: bool = False, **options: Any
) -> Iterator[dict[str, str]]:
    """Run :func:`demo.system.running_system`, with Flower if wanted; yield the environment that leads to it."""
    port = free_port() if flower else None
    with running_system(directory, flower_port=port, **options) as system:
        yield {**options.get("environment", {}), **system.urls}


def skip_without(find: Callable[[], Path]) -> None:
    """Skip the test if a server is not installed."""
    try:
        find()
    except NotInstalled as missing:
        pytest.skip(str(missing))
