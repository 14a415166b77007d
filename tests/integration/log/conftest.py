"""The log in memory, on one Redis and on a cluster, and a saga in it."""

from collections.abc import Callable, Iterator
from functools import partial

import fakeredis
import pytest
import redis

from amends.backend.client import Client, client_of
from amends.backend.url import redis_url
from amends.log.saga_log import SagaLog
from tests.support.log_driver import Journey
from tests.support.redis_clusters import OwnCluster, own_cluster
from tests.support.stage_driver import Course


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    """Give a cluster of three primaries."""
    with own_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(params=["fakeredis", "redis", pytest.param("cluster", marks=pytest.mark.servers)])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    if request.param == "fakeredis":
        yield fakeredis.FakeRedis(decode_responses=True)
        return
    if request.param == "cluster":
        yield client_of(redis_url(request.getfixturevalue("cluster").url))
        return
    with redis.Redis.from_url(request.getfixturevalue("redis_url"), decode_responses=True) as real:
        yield real


@pytest.fixture
def log(client: redis.Redis) -> SagaLog:
    return SagaLog(client)


@pytest.fixture
def journey(log: SagaLog, client: Client) -> Journey:
    return Journey(log, client)


@pytest.fixture
def course(log: SagaLog, client: Client) -> Callable[..., Course]:
    """Return a function that starts a saga of stages, for a test to move."""
    return partial(Course, log, client)
