"""A backlog over several queues stays as long as it is, however long it waits."""

import os
import sys
import uuid

import pytest
from redis import Redis

from amends.backend.app_identity import identity_of
from amends.log.saga_log import log_of
from amends.log.watermarks import watermark_name
from demo.log_user import as_log_user
from demo.servers import Worker
from tests.support.eventually import eventually

EACH = 60
"""Sagas of a queue; a worker needs 0.05 s for each, and finds its message overdue after 2 s."""


@pytest.fixture
def backlog(redis_url, tmp_path, monkeypatch):
    """Give the app, a worker of it that has yet to be started, and its broker."""
    settings = {
        "CELERY_BROKER_URL": f"{redis_url}/9",
        "AMENDS_BACKEND": as_log_user(f"{redis_url}/10"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    for name in ("CELERY_BROKER_URL", "AMENDS_BACKEND"):
        monkeypatch.setenv(name, settings[name])
    for database in (9, 10):
        with Redis.from_url(f"{redis_url}/{database}") as client:
            client.flushdb()
    from tests.acceptance import backlog_app as module  # noqa: PLC0415 - it reads its settings

    module.app.set_current()
    module.app.set_default()
    worker = Worker(
        "slow",
        directory=tmp_path,
        application="tests.acceptance.backlog_app",
        environment={**settings, "LOST_AFTER": "2"},
        pool="threads",
        concurrency=1,
        queues=",".join(module.QUEUES),
    )
    with Redis.from_url(settings["CELERY_BROKER_URL"]) as broker:
        try:
            yield module, worker, broker
        finally:
            worker.kill()


def test_a_backlog_over_several_queues_is_not_made_longer(backlog):
    module, worker, broker = backlog
    log, sagas = log_of(module.app), EACH * len(module.QUEUES)
    for queue, saga in module.sagas.items():
        ids = [f"{queue}-{uuid.uuid4().hex}" for _ in range(EACH)]
        saga.start_many([module.Letter()] * EACH, saga_ids=ids)
    worker.start()
    most = 0

    def all_are_done():
        nonlocal most
        alive = log.maintenance.count_live()
        waiting = sum(broker.llen(queue) for queue in module.QUEUES)
        most = max(most, waiting - alive)
        return alive == 0

    eventually(all_are_done, timeout=120)
    assert most <= 0.05 * sagas
    names = [watermark_name(queue, identity_of(module.app)) for queue in module.QUEUES]
    assert all(log.watermarks.read_watermarks(names).watermarks.values())
    ended = [count for words, count in log.read_counters().items() if words[0] == "ended"]
    assert sum(ended) == sagas
