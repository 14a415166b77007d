"""The others that fill a log for `make bench-growth`."""

import pytest
import redis

from amends.backend.client import client_of
from amends.definition.states import SagaStatus
from amends.log.saga_log import SagaLog
from benchmarks.growth.crowd import AT_ONCE, ENDED, LIVE, grow

SIZE = AT_ONCE + 100


@pytest.fixture
def log(redis_url):
    client: redis.Redis = client_of(f"{redis_url}/11")
    client.flushdb()
    yield SagaLog(client)
    client.flushdb()


def _ids(kind):
    return [f"other-{kind}-{n}" for n in range(SIZE)]


def test_live_ones_wait_for_their_first_message(log):
    grow(log, LIVE, range(SIZE - 50))
    grow(log, LIVE, range(SIZE - 50, SIZE))
    assert log.maintenance.count_live() == SIZE
    assert {log.read_status(each) for each in _ids(LIVE)} == {SagaStatus.PENDING}


def test_ended_ones_can_be_removed(log):
    grow(log, ENDED, range(SIZE))
    assert {log.read_status(each) for each in _ids(ENDED)} == {SagaStatus.COMPENSATED}
    assert log.maintenance.count_live() == 0
    assert log.maintenance.remove_sagas(_ids(ENDED), kept_for=0.0) == SIZE
