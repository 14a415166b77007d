"""An app on a real Redis, for runs that have it to themselves."""

import logging
import os
from collections.abc import Iterator

import pytest
from celery import Celery
from redis import Redis

from tests.explorer.apps import explored_app
from tests.explorer.exploration import Explorer


@pytest.fixture(scope="session")
def backend(redis_url: str) -> str:
    """Name a log for this worker of pytest alone: each run empties it."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return f"{redis_url}/{13 + worker % 3}"


@pytest.fixture(scope="module")
def app(backend: str) -> Iterator[Celery]:
    with Redis.from_url(backend) as client:
        client.flushdb()  # of another test's log, with another number of shards
    app = explored_app(broker="memory://", backend=backend)
    yield app
    app.close()


@pytest.fixture(scope="module")
def explorer(app: Celery) -> Iterator[Explorer]:
    explorer = Explorer(app)
    logging.disable()  # thousands of failures that are part of a plot
    yield explorer
    logging.disable(logging.NOTSET)
    explorer.close()
