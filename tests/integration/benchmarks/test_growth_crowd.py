"""What fills a log for `benchmarks.growth`."""

import os
from collections import Counter

import pytest
import redis

from amends.backend.client import client_of
from amends.definition.states import SagaStatus
from amends.log.claim import Run
from amends.log.owner import worker_name
from amends.log.remaining import Running, Waiting
from amends.log.saga_log import SagaLog
from benchmarks.growth.crowd import RUNNING, Crowd

SIZE = RUNNING + 1000


@pytest.fixture
def log(redis_url):
    client: redis.Redis = client_of(f"{redis_url}/11")
    client.flushdb()
    yield SagaLog(client)
    client.flushdb()


def _ids(kind):
    return [f"other-{kind}-{n}" for n in range(SIZE)]


def test_live_ones_run_wait_for_messages_or_wait_for_attempts(log):
    crowd = Crowd(log, "live")
    crowd.grow(SIZE - 500)
    crowd.grow(SIZE)
    assert log.maintenance.count_live() == SIZE
    statuses = Counter(log.read_status(each) for each in _ids("live"))
    queued = statuses.pop(SagaStatus.PENDING)
    assert statuses == {SagaStatus.RUNNING: SIZE - queued}
    assert abs(queued - (SIZE - RUNNING) / 2) < 64  # half of each shard's
    found = Counter(
        type(each) for each in log.maintenance.look_at_sagas(_ids("live"), longest_wait=300.0)
    )
    assert found == {Running: RUNNING, Waiting: queued, type(None): SIZE - RUNNING - queued}


def test_what_runs_is_held_by_this_process(log):
    Crowd(log, "live").grow(SIZE)
    found = log.dispatch_saga("other-live-0", longest_wait=300.0)
    assert (found.owner.worker, found.owner.pid) == (worker_name(), str(os.getpid()))


def test_a_copy_goes_on_as_its_original_would(log):
    Crowd(log, "live").grow(SIZE)
    for each in _ids("live")[RUNNING:]:
        if log.read_status(each) is SagaStatus.PENDING:
            claim = log.claim_step(each, "step_1", token="t", owner="", retries=0)
            assert isinstance(claim, Run)
            assert claim.sources["input"]["text"]


def test_ended_ones_are_completed_and_can_be_removed(log):
    Crowd(log, "ended").grow(SIZE)
    assert {log.read_status(each) for each in _ids("ended")} == {SagaStatus.COMPLETED}
    assert log.maintenance.count_live() == 0
    assert set(log.maintenance.read_ended(ago=0.0, limit=SIZE)) == set(_ids("ended"))
    assert log.maintenance.remove_sagas(_ids("ended"), kept_for=0.0) == SIZE
