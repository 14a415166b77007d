"""One order kills whatever runs it; those beside it are healthy."""

import os
import sys

import pytest
from redis import Redis

from amends.definition.states import ENDED
from amends.log.saga_log import log_of
from demo.log_user import as_log_user
from demo.servers import Worker
from tests.support.eventually import eventually

HEALTHY = 4


@pytest.fixture
def poisoned(redis_url, monkeypatch):
    """Give the app with the job that kills, on databases that nothing else uses."""
    for database in (9, 10):
        with Redis.from_url(f"{redis_url}/{database}") as client:
            client.flushdb()
    monkeypatch.setenv("CELERY_BROKER_URL", f"{redis_url}/9")
    monkeypatch.setenv("AMENDS_BACKEND", as_log_user(f"{redis_url}/10"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    sys.modules.pop("tests.acceptance.poisoned_app", None)  # it reads them when it is imported
    from tests.acceptance import poisoned_app  # noqa: PLC0415

    poisoned_app.app.set_current()
    poisoned_app.app.set_default()
    return poisoned_app


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_s11_a_step_that_kills_its_worker_takes_none_of_those_beside_it_along(
    poisoned, pool, tmp_path
):
    worker = Worker(
        "poisoned",
        directory=tmp_path,
        environment=os.environ,
        application="tests.acceptance.poisoned_app",
        pool=pool,
        concurrency=HEALTHY + 1,
    )
    jobs = [poisoned.Job(is_poison=k == 0) for k in range(HEALTHY + 1)]
    handles = [poisoned.saga.start(job) for job in jobs]

    def all_ended():
        if not worker.runs:  # somebody's supervisor
            worker.start()
        return all(handle.status in ENDED for handle in handles)

    try:
        eventually(all_ended, timeout=240, every=0.2)
    finally:
        worker.kill()
    poison, *healthy = handles
    assert poison.status == "compensated"
    assert poison.snapshot().steps["work"].error.startswith("WorkerLostError")
    assert [handle.outcome for handle in healthy] == ["completed"] * HEALTHY
    log = log_of(poisoned.app)
    spent = [log.read_saga(handle.id).records["work"].used.attempts for handle in healthy]
    assert spent == [1] * HEALTHY
