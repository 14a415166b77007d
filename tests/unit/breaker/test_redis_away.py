"""Redis is away: no guarded call notices, and Redis is left alone for longer and longer."""

import random
import threading
from dataclasses import replace

import fakeredis
import pytest
from redis.exceptions import ConnectionError as Refused
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer

from amends import CircuitBreaker, CircuitOpenError, LogUnavailable
from amends.backend.client import impatient_client_of
from amends.breaker.gate import Gate
from amends.breaker.permit import Permit
from amends.breaker.redis_access import Away, RedisAccess
from amends.breaker.states import CircuitState
from amends.testing.clock import Clock, keep_time

OPTIONS = CircuitBreaker("away", failure_on=(OSError,)).options


class UnsteadyAccess(RedisAccess):
    """The way to a Redis that goes away; it counts how often that is tried."""

    error = None
    tries = 0

    def _attempt(self, command):
        self.tries += 1
        if self.error:
            raise self.error
        return super()._attempt(command)


class Bench:
    """One breaker at a Redis that goes away, as one process knows it."""

    def __init__(self, **options):
        self.clock = Clock(1_700_000_000.0)
        self.options = replace(OPTIONS, **options)
        client = fakeredis.FakeRedis(decode_responses=True)
        keep_time(client, self.clock)
        self.access = UnsteadyAccess(client, clock=lambda: self.clock.now)
        self.gate = self.process()

    def process(self):
        """Begin another process, to which Redis is not away."""
        gate = Gate("away", self.options, self.access, clock=lambda: self.clock.now)
        gate._local._clock = lambda: round(self.clock.now * 1000) * 1000
        return gate

    def acquire(self, gate=None, lease=60.0, token="t"):
        gate = gate or self.gate
        return Permit(gate, *gate.acquire(token, lease), options=self.options)

    def fail(self, times=1, gate=None):
        for _ in range(times):
            self.acquire(gate).failure(OSError("down"))

    def rejection(self, gate=None, token="t"):
        with pytest.raises(CircuitOpenError) as raised:
            self.acquire(gate, token=token)
        return raised.value.state, round(raised.value.retry_after, 3)

    def go_away(self):
        self.access.error = Refused("refused")

    def come_back(self):
        self.access.error = None
        self.clock.advance(30)


@pytest.mark.parametrize(
    "error",
    [
        Refused("refused"),
        NoAnswer("timeout"),
        OutOfMemoryError("full"),
        ReadOnlyError("replica"),
        ResponseError("WRONGTYPE"),
        OSError("no route"),
    ],
    ids=repr,
)
def test_nothing_that_redis_says_is_raised_into_a_guarded_call(error):
    bench = Bench()
    permits = [bench.acquire(), bench.acquire(), bench.acquire()]
    bench.access.error = error
    permits[0].success()
    permits[1].failure(OSError("down"))
    permits[2].release()
    bench.acquire().success()


def test_redis_has_a_quarter_of_a_second_to_answer():
    how = impatient_client_of("redis://localhost").get_connection_kwargs()
    assert (how["socket_connect_timeout"], how["socket_timeout"]) == (0.25, 0.25)


def test_redis_is_left_alone_for_longer_and_longer_and_tried_once_each_time():
    bench = Bench()
    bench.go_away()
    rests = []
    for _ in range(8):
        before = bench.access.tries
        for _ in range(20):
            bench.acquire().success()
        assert bench.access.tries == before + 1
        rests.append(bench.access._rests_until - bench.clock.now)
        bench.clock.advance(rests[-1])
    assert rests == [1, 2, 4, 8, 16, 30, 30, 30]
    bench.access.error = None
    bench.acquire().success()
    bench.go_away()
    bench.acquire().success()
    assert bench.access._rests_until - bench.clock.now == 1


def test_many_callers_that_meet_one_error_make_one_rest_of_it():
    bench = Bench()
    gate, entered = threading.Barrier(10), []

    def ask(_client):
        entered.append(gate.wait(10))
        raise NoAnswer("timeout")

    def caller():
        with pytest.raises(Away):
            bench.access.ask(ask)

    threads = [threading.Thread(target=caller) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(entered) == 10
    assert bench.access._rests_until - bench.clock.now == 1


def test_one_caller_tries_again_and_the_others_do_not_wait_for_it():
    bench = Bench()
    bench.go_away()
    bench.acquire().success()
    bench.access.error = None
    bench.clock.advance(1)
    tried = []

    def ask(_client):
        with pytest.raises(Away, match="refused"):
            bench.access.ask(tried.append)
        raise NoAnswer("timeout")

    with pytest.raises(Away, match="timeout"):
        bench.access.ask(ask)
    assert tried == []


def test_an_error_that_comes_late_makes_no_rest_shorter():
    bench = Bench()

    def ask(_client):
        bench.go_away()
        bench.acquire().success()
        bench.clock.advance(1)
        bench.acquire().success()
        raise NoAnswer("timeout")

    with pytest.raises(Away):
        bench.access.ask(ask)
    assert bench.access._rests_until - bench.clock.now == 2


def test_without_redis_a_process_has_a_breaker_of_its_own():
    bench = Bench(reset_timeout=10.0)
    bench.go_away()
    bench.fail(3)
    assert bench.rejection() == ("open", 10.0)
    bench.clock.advance(10)
    probe = bench.acquire()
    assert probe.is_probe
    probe.success()
    bench.fail(2)
    bench.acquire().success()
    bench.fail(2)
    bench.acquire()


@pytest.mark.parametrize(("asked", "wait"), [(None, 66.0), (20.0, 22.0), (1e300, 660.0)])
def test_a_breaker_of_ones_own_waits_longer_by_the_jitter_too(monkeypatch, asked, wait):
    monkeypatch.setattr(random, "random", lambda: 0.5)
    bench = Bench(failure_threshold=1, reset_jitter=0.2)
    bench.go_away()
    error = OSError("down")
    error.retry_after = asked
    bench.acquire().failure(error)
    assert bench.rejection() == ("open", wait)


def test_a_process_keeps_to_the_open_circuit_that_it_knew_of():
    bench = Bench()
    bench.fail(3)
    bench.clock.advance(20)
    bench.go_away()
    assert bench.rejection() == ("open", 40.0)
    bench.clock.advance(40)
    bench.acquire().success()


def test_a_process_keeps_to_the_persons_will_that_it_knew_of():
    bench = Bench()
    bench.gate.shared.override_breaker("forced_open", by="ada", why="")
    assert bench.rejection() == ("forced_open", 60.0)
    bench.go_away()
    bench.clock.advance(100)
    assert bench.rejection() == ("forced_open", 60.0)
    bench.come_back()
    bench.gate.shared.override_breaker("disabled", by="ada", why="")
    bench.acquire()
    bench.go_away()
    bench.fail(10)
    bench.acquire()


def test_with_allow_every_call_goes_through():
    bench = Bench(on_backend_error="allow")
    bench.fail(3)
    bench.go_away()
    bench.clock.advance(2)
    for _ in range(10):
        bench.acquire().failure(OSError("down"))


def test_with_reject_none_does_until_redis_is_tried_again():
    bench = Bench(on_backend_error="reject")
    bench.go_away()
    assert bench.rejection() == ("unknown", 1.0)
    bench.clock.advance(0.4)
    assert bench.rejection() == ("unknown", 0.6)
    bench.access.error = None
    bench.clock.advance(0.6)
    bench.acquire()


def test_a_failure_that_redis_cannot_take_counts_in_this_process():
    bench = Bench()
    permits = [bench.acquire() for _ in range(4)]
    bench.go_away()
    for permit in permits[:3]:
        permit.failure(OSError("down"))
    assert bench.rejection() == ("open", 60.0)


def test_a_success_that_redis_cannot_take_counts_too():
    bench = Bench()
    permits = [bench.acquire() for _ in range(5)]
    bench.go_away()
    for permit in permits[:2]:
        permit.failure(OSError("down"))
    permits[2].success()
    for permit in permits[3:]:
        permit.failure(OSError("down"))
    bench.acquire()


def test_what_a_process_counted_alone_is_forgotten_when_redis_is_back():
    bench = Bench()
    bench.go_away()
    local = bench.acquire()
    bench.fail(2)
    bench.come_back()
    bench.acquire().success()
    local.failure(OSError("down"))
    bench.go_away()
    bench.fail(2)
    bench.acquire()


def test_an_open_circuit_is_not_asked_for_again_within_a_second():
    bench = Bench()
    other = bench.process()
    bench.fail(3)
    before = bench.access.tries
    for _ in range(100):
        assert bench.rejection() == ("open", 60.0)
    assert bench.access.tries == before
    other.shared.reset_breaker(by="ada", why="")
    bench.clock.advance(0.999)
    assert bench.rejection() == ("open", 59.001)
    bench.clock.advance(0.001)
    bench.acquire().success()


def test_an_open_circuit_is_remembered_no_longer_than_it_is_open():
    bench = Bench(reset_timeout=0.5)
    bench.fail(3)
    bench.clock.advance(0.5)
    assert bench.acquire().is_probe


def test_a_person_is_told_that_redis_is_away(define, app, monkeypatch):
    payments = define()
    shared = payments._gate().shared
    monkeypatch.setattr(shared, "_access", UnsteadyAccess(shared._access._client))
    shared._access.error = Refused("refused")
    for read_or_act in (payments.snapshot, payments.history, payments.reset, payments.force_open):
        with pytest.raises(LogUnavailable, match="at amends_backend cannot be reached: refused"):
            read_or_act()
    payments.report_killed("task.0", ran_for=1.0, why="killed")  # is for a worker's main process


def refused_in_redis(bench):
    return int(bench.access._client.hget(bench.gate.shared.keys[0], "refused") or 0)


def test_calls_kept_away_are_told_once_a_second_and_with_what_is_asked_anyway():
    bench = Bench()
    bench.fail(3)
    tries = bench.access.tries
    for _ in range(100):
        bench.rejection()
    assert (refused_in_redis(bench), bench.access.tries - tries) == (0, 0)  # it remembers
    bench.clock.advance(1)
    tries = bench.access.tries
    for _ in range(50):
        bench.rejection()
    assert (refused_in_redis(bench), bench.access.tries - tries) == (101, 2)
    bench.clock.advance(60)
    bench.acquire().success()
    assert refused_in_redis(bench) == 150


def test_calls_kept_away_while_redis_is_away_are_told_later():
    bench = Bench()
    bench.fail(3)
    bench.go_away()
    bench.clock.advance(1)
    for _ in range(7):
        bench.rejection()
    bench.come_back()
    bench.rejection()
    assert refused_in_redis(bench) == 8


def test_a_circuit_that_nothing_happened_to_gets_no_key_by_calls_kept_away():
    bench = Bench(on_backend_error="reject")
    bench.go_away()
    bench.rejection()
    bench.come_back()
    bench.acquire().success()
    assert not bench.access._client.exists(bench.gate.shared.keys[0])


def test_one_that_is_forced_open_for_a_time_ends_while_redis_is_away():
    bench = Bench()
    bench.gate.shared.override_breaker(CircuitState.FORCED_OPEN, by="", why="", duration=10.0)
    assert bench.rejection() == ("forced_open", 10.0)
    bench.go_away()
    bench.clock.advance(9)
    assert bench.rejection() == ("forced_open", 1.0)
    bench.clock.advance(2)
    bench.acquire().success()


def test_a_half_open_circuit_that_each_call_asks_is_told_once_a_second_too():
    bench = Bench()
    bench.fail(3)
    bench.clock.advance(60)
    bench.acquire(token="probe")
    for _ in range(50):
        bench.rejection()
    assert refused_in_redis(bench) == 1
    bench.clock.advance(1)
    bench.rejection()
    assert refused_in_redis(bench) == 51
