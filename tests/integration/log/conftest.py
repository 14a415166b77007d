"""The log on both Redises, and a saga in it."""

from collections.abc import Iterator

import fakeredis
import pytest
import redis

from amends.log.saga_log import SagaLog
from tests.support.log_driver import Journey


@pytest.fixture(params=["fakeredis", "redis"])
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    if request.param == "fakeredis":
        yield fakeredis.FakeRedis(decode_responses=True)
        return
    with redis.Redis.from_url(request.getfixturevalue("redis_url"), decode_responses=True) as real:
        yield real


@pytest.fixture
def log(client: redis.Redis) -> SagaLog:
    return SagaLog(client)


@pytest.fixture
def journey(log: SagaLog, client: redis.Redis) -> Journey:
    return Journey(log, client)
