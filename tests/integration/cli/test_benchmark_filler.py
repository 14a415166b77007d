"""What fills a log for `benchmarks.commands`."""

import redis

from amends.backend.client import client_of
from amends.definition.states import SagaStatus
from benchmarks.commands import Filler


def test_sagas_are_brought_to_where_they_are_wanted(redis_url):
    client: redis.Redis = client_of(f"{redis_url}/10")
    client.flushdb()
    filler = Filler(f"{redis_url}/10")
    filler.leave_running(40)
    filler.leave_stuck(3)
    filler.end(20)
    assert filler.count(SagaStatus.RUNNING) == 40
    assert filler.count(SagaStatus.STUCK) == 3
    assert filler.count(SagaStatus.COMPLETED) == 2
    assert filler.count(SagaStatus.COMPENSATED) == 18
    assert filler.count(*SagaStatus) == 63
    client.flushdb()
