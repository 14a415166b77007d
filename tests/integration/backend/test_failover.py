"""A failover: the address leads to the new primary, and the demoted one keeps its connections."""

import threading
import uuid

import pytest
import redis

from amends import CircuitBreaker
from amends.breaker.redis_access import Away, RedisAccess
from amends.breaker.redis_circuit import RedisCircuit
from amends.breaker.states import CircuitState
from amends.log.saga_log import SagaLog
from amends.log.starts import Started
from tests.chaos.proxy import proxies_to
from tests.support.eventually import eventually
from tests.support.redis_servers import redis_of
from tests.support.sagas.trip import trip_saga


class Pair:
    """A primary and a replica, and the address of whichever is the primary."""

    def __init__(self, primary, replica, proxy):
        self.primary, self.replica = (
            redis.Redis.from_url(each.url, decode_responses=True) for each in (primary, replica)
        )
        self._ports, self._proxy = (primary.port, replica.port), proxy
        self.url = f"redis://127.0.0.1:{proxy.port}"
        self.primary.flushall()
        self.primary.config_set("repl-diskless-sync-delay", 0)
        self.replica.replicaof("127.0.0.1", primary.port)
        eventually(lambda: self.replica.info("replication")["master_link_status"] == "up")

    def fail_over(self):
        self.primary.incr("written")  # WAIT is about what its own connection wrote last
        self.primary.wait(1, 20_000)
        self.replica.replicaof("NO", "ONE")
        self._proxy.lead_to(self._ports[1])
        self.primary.replicaof("127.0.0.1", self._ports[1])

    def close(self):
        for each in (self.primary, self.replica):
            each.replicaof("NO", "ONE")
            each.close()


@pytest.fixture(scope="module")
def another(each_redis, tmp_path_factory):
    with redis_of(each_redis.name, tmp_path_factory.mktemp("replica")) as server:
        yield server


@pytest.fixture
def pair(each_redis, another):
    with proxies_to(each_redis.port, 1) as (proxy,):
        pair = Pair(each_redis, another, proxy)
        yield pair
        pair.close()


@pytest.fixture
def client(pair):
    with redis.Redis.from_url(pair.url, decode_responses=True, socket_timeout=20.0) as client:
        yield client


def at_once(ask, count=4):
    """Ask in several threads, each with a connection of its own."""
    together = threading.Barrier(count)

    def run():
        together.wait()
        ask()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("fast_path", [True, False])
def test_a_log_that_was_connected_finds_the_new_primary_at_once(pair, client, fast_path):
    log = SagaLog(client, fast_path=fast_path)

    def start():
        return log.starts.start_saga(uuid.uuid4().hex, trip_saga.itinerary, "{}")

    at_once(start)
    at_once(log.read_counters)  # on the pool's own connections
    pair.fail_over()
    assert [start() for _ in range(5)] == [Started(1)] * 5
    assert log.maintenance.count_live() == 4 + 5


def test_many_starts_find_it_too(pair, client):
    log = SagaLog(client)
    ids = [uuid.uuid4().hex for _ in range(20)]
    log.starts.start_sagas(trip_saga.itinerary, [(each, "{}") for each in ids[:10]])
    pair.fail_over()
    told = log.starts.start_sagas(trip_saga.itinerary, [(each, "{}") for each in ids[10:]])
    assert told == [Started(1)] * 10


def test_a_plain_write_finds_it_too(pair, client):
    log = SagaLog(client)
    log.starts.start_saga("order-1047", trip_saga.itinerary, "{}")
    assert log.maintenance.count_live() == 1  # on the pool's own connection
    pair.fail_over()
    log.maintenance.put_back(["order-1047"])
    assert log.maintenance.take_due(lease=1.0, limit=1) == ["order-1047"]


@pytest.mark.parametrize("fast_path", [True, False])
def test_breakers_that_were_connected_find_it_after_one_rest(pair, client, fast_path):
    now = [0.0]
    access = RedisAccess(client, clock=lambda: now[0], fast_path=fast_path)
    breaker = CircuitBreaker(uuid.uuid4().hex, failure_on=(OSError,))
    circuit = RedisCircuit(breaker.name, breaker.options, access)

    def succeed():
        circuit.record_success(circuit.acquire_permit(None, lease=60.0))
        access.send(("PING",))  # which waits for the report

    at_once(succeed)
    at_once(circuit.read)
    pair.fail_over()
    with pytest.raises(Away):
        succeed()
    now[0] += 1.0
    for _ in range(5):
        succeed()
    circuit.override_breaker(CircuitState.FORCED_OPEN, by="", why="")
