"""A real worker in this process, on a real Redis, for the saga of `engine_saga`."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import TestWorkController, start_worker

from amends.errors import SagaError
from amends.log.saga_log import SagaLog, log_of
from tests.support.engine_saga import EngineSaga, engine_saga


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Tell what became of a failed test's saga: what goes wrong by chance may not come again to be looked at."""
    report = yield
    given = getattr(item, "funcargs", {})
    if report.failed and {"saga_id", "log"} <= given.keys():
        with suppress(SagaError):
            history = given["log"].read_history(given["saga_id"])
            report.sections.append(("the saga's history", "\n".join(map(str, history))))
    return report


@pytest.fixture(scope="module")
def app(redis_url: str) -> Iterator[Celery]:
    """Give an app of its own, current while the module's tests run, with an empty log and broker.

    A saga, a message or a worker that the modules before left there would be this module's, too.
    """
    for database in (2, 3):
        with redis.Redis.from_url(f"{redis_url}/{database}") as client:
            client.flushdb()
    app = Celery("engine_saga", broker=f"{redis_url}/2")
    app.conf.update(
        amends_backend=f"{redis_url}/3",
        amends_sweep_interval=0.2,
        amends_compensation_queue="undo",
        task_default_queue="work",
        task_queues={name: {"exchange": name, "routing_key": name} for name in ("work", "undo")},
        worker_prefetch_multiplier=1,
    )
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


@pytest.fixture(scope="module")
def worker(app: Celery) -> Iterator[TestWorkController]:
    with start_worker(
        app,
        pool="threads",
        concurrency=4,
        loglevel="CRITICAL",
        perform_ping_check=False,
        shutdown_timeout=30,
    ) as worker:
        yield worker


@pytest.fixture(scope="module")
def swept(redis_url: str) -> Iterator[None]:
    """Leave no message behind: a worker that ends gives back those with a countdown."""
    yield
    with redis.Redis.from_url(f"{redis_url}/2") as client:
        client.flushdb()


@pytest.fixture
def work(app: Celery, worker: TestWorkController) -> EngineSaga:
    """Give the engine_saga, with a worker that consumes."""
    return engine_saga


@pytest.fixture
def log(app: Celery) -> SagaLog:
    return log_of(app)


@pytest.fixture
def broker(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(f"{redis_url}/2") as client:
        yield client


@pytest.fixture
def saga_id() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Catch the engine's log lines also where the worker has set the root logger up."""
    logger = logging.getLogger("amends")
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING, logger="amends"):
        yield caplog
    logger.removeHandler(caplog.handler)
