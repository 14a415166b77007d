"""`amends_wait_replicas`: a transition is answered once replicas have it, so that no failover loses it."""

import threading
import uuid

import pytest
from celery import Celery
from redis import Redis

from amends.backend.client import client_of
from amends.backend.url import redis_url
from amends.errors import LogUnavailable
from amends.log.saga_log import SagaLog, log_of
from amends.log.starts import AlreadyThere, Started
from amends.worker.sweep import Sweep
from demo.ports import LOOPBACK, free_port
from demo.programs import running
from demo.servers import RedisServer
from tests.support.eventually import eventually
from tests.support.redis_clusters import own_cluster
from tests.support.redis_servers import AT_HAND, replica_of
from tests.support.sagas.trip import trip_saga

ANSWERED = Started | AlreadyThere
"""A start is repeated where a replica needs more than the half second that a transition waits, and finds itself done."""


@pytest.fixture(scope="module")
def replica(each_redis, tmp_path_factory):
    """Give a replica of the Redis."""
    with replica_of(each_redis, tmp_path_factory.mktemp("replica")) as server:
        yield server


@pytest.fixture
def log(each_redis):
    return SagaLog(client_of(each_redis.url), wait_replicas=1)


def start(log, saga_id):
    return log.starts.start_saga(saga_id, trip_saga.itinerary, "{}")


def test_what_is_answered_is_on_a_replica(log, replica):
    saga_id = uuid.uuid4().hex
    assert isinstance(start(log, saga_id), ANSWERED)
    assert SagaLog(client_of(replica.url)).read_status(saga_id) == "pending"


def test_without_a_replica_it_is_done_and_not_answered_and_is_found_done_later(
    each_redis, log, replica
):
    saga_id = uuid.uuid4().hex
    replica.freeze()
    another = SagaLog(Redis.from_url(each_redis.url, decode_responses=True), wait_replicas=1)
    for each in (log, another):  # who asks again finds it done, and is not answered either
        with pytest.raises(LogUnavailable, match="1 replicas"):
            start(each, saga_id)
    replica.thaw()
    assert isinstance(start(log, saga_id), AlreadyThere)
    assert SagaLog(client_of(replica.url)).read_status(saga_id) == "pending"


@pytest.fixture
def alone(each_redis, tmp_path):
    """Give a Redis without replicas."""
    server = RedisServer("alone", directory=tmp_path, program=AT_HAND[each_redis.name])
    with running(server):
        yield server


def ask(server):
    return Redis.from_url(server.url, decode_responses=True)


def demote(server):
    ask(server).replicaof(LOOPBACK, free_port())


def test_a_primary_that_is_demoted_while_it_waits_for_its_replicas_is_away(alone):
    def demote_soon():
        eventually(lambda: ask(alone).info("clients")["blocked_clients"])
        demote(alone)

    log = SagaLog(client_of(alone.url), wait_replicas=1)
    demoting = threading.Thread(target=demote_soon)
    demoting.start()
    with pytest.raises(LogUnavailable):
        start(log, uuid.uuid4().hex)
    demoting.join()


def test_a_demoted_primary_that_finds_a_start_done_is_away(alone):
    saga_id = uuid.uuid4().hex
    log = SagaLog(client_of(alone.url), wait_replicas=1)
    with pytest.raises(LogUnavailable, match="1 replicas"):
        start(log, saga_id)
    demote(alone)
    with pytest.raises(LogUnavailable, match="replica, which takes no writes"):
        start(log, saga_id)


@pytest.mark.usefixtures("replica")
def test_a_sweep_to_which_nothing_is_due_asks_for_no_replica(each_redis):
    app = Celery("idle", broker="memory://", set_as_current=False)
    app.conf.update(amends_backend=each_redis.url, amends_wait_replicas=1)
    with Redis.from_url(each_redis.url) as client:
        client.flushdb()
    assert Sweep(app, may_judge=lambda: True).run_once() == 0
    assert log_of(app).maintenance.look_at_sagas([], longest_wait=1.0) == []


@pytest.mark.servers
def test_in_a_cluster_each_node_waits_for_its_own(tmp_path):
    with own_cluster(tmp_path, primaries=3, replicas=1) as cluster:
        log = SagaLog(client_of(redis_url(cluster.url)), wait_replicas=1)
        ids = [uuid.uuid4().hex for _ in range(30)]
        answers = log.starts.start_sagas(trip_saga.itinerary, [(each, "{}") for each in ids])
        assert all(isinstance(each, ANSWERED) for each in answers)
        cluster.nodes[3].freeze()  # the replica of one of them
        with pytest.raises(LogUnavailable, match="1 replicas"):
            [start(log, uuid.uuid4().hex) for _ in range(30)]
        cluster.nodes[3].thaw()
