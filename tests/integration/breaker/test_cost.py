"""What a breaker costs Redis: two round trips of plain commands, and no memory while all is well."""

import pytest

from amends import CircuitOpenError
from demo.servers import own_redis
from tests.integration.breaker.callers import ServerError, fail


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    """Give a Redis of the module's own, as all of its commands are counted."""
    with own_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


def be_rejected(breaker):
    with pytest.raises(CircuitOpenError):
        breaker.acquire()


@pytest.fixture
def commands(client):
    """Give a function that tells the commands, by name, and the round trips that an act costs."""

    def look():
        told = client.info("all")  # of one moment
        calls = {
            name.removeprefix("cmdstat_"): each["calls"]
            for name, each in told.items()
            if name.startswith("cmdstat_")
        }
        # Redis reads the end of a connection, too: that of a client before, which is collected as garbage here.
        closed = told["total_connections_received"] - told["connected_clients"]
        return calls, told["total_reads_processed"] - closed

    def commands(act):
        look()  # has its own commands counted
        before, reads = look()
        act()
        after, more_reads = look()
        own = {name: count - before.get(name, 0) for name, count in after.items()}
        own["info"] -= 1
        return {name: count for name, count in own.items() if count}, more_reads - reads - 1

    return commands


def test_a_guarded_call_of_a_closed_breaker_is_two_round_trips_without_a_script(define, commands):
    payments = define()
    payments.call(lambda: None)
    cost = commands(lambda: payments.call(lambda: None))
    assert cost == ({"time": 1, "hmget": 1, "hdel": 1}, 2)


def test_so_it_is_of_one_that_was_open(define, commands, let_it_pass):
    payments = define()
    fail(payments, 3)
    let_it_pass(payments)
    payments.call(lambda: None)
    cost = commands(lambda: payments.call(lambda: None))
    assert cost == ({"time": 1, "hmget": 1, "hdel": 1}, 2)


def test_a_rejected_call_waits_for_one_round_trip_at_most_and_is_told_without_waiting(
    define, commands
):
    """What it tells, as a success does, is sent once a second at most."""
    payments = define()
    fail(payments, 3)
    assert commands(lambda: be_rejected(payments)) == ({}, 0)
    payments._gate().forget()
    told = {"time": 1, "hmget": 1, "hincrby": 1}
    assert commands(lambda: be_rejected(payments)) == (told, 2)
    payments._gate().forget()
    assert commands(lambda: be_rejected(payments)) == ({"time": 1, "hmget": 1}, 1)


def test_a_failure_is_two_round_trips_and_a_neutral_end_one(define, commands):
    payments = define(failure_threshold=100)
    fail(payments)
    cost, trips = commands(lambda: fail(payments))
    assert (cost["evalsha"], trips) == (1, 2)
    assert commands(lambda: payments.acquire().release()) == ({"time": 1, "hmget": 1}, 1)


def test_a_healthy_breaker_has_no_key(define, client):
    payments = define()
    keys = payments._gate().shared.keys
    for _ in range(3):
        payments.call(lambda: None)
        payments.acquire().release()
        assert client.exists(*keys) == 0
        fail(payments, 2)
        assert client.exists(*keys) == 1
        payments.call(lambda: None)
    assert client.exists(*keys) == 0


def test_a_breaker_that_opened_often_is_as_small_as_one_that_did_sometimes(
    define, client, let_it_pass
):
    payments = define(failure_threshold=1)

    def memory_after(cycles):
        for _ in range(cycles):
            fail(payments)
            let_it_pass(payments)
            payments.acquire(token="x" * 32, lease=1000.0).success()
        return sum(client.memory_usage(key) or 0 for key in payments._gate().shared.keys)

    memory_after(50)
    assert memory_after(200) <= memory_after(50) * 1.2 < 50_000


def test_a_late_result_after_redis_lost_its_data_leaves_no_key(define, client):
    payments = define(failure_threshold=1)
    fail(payments)
    payments.reset()
    permits = [payments.acquire() for _ in range(2)]
    keys = payments._gate().shared.keys
    client.delete(*keys)
    permits[0].failure(ServerError("down"))
    permits[1].success()
    assert client.exists(*keys) == 0
