"""The breakers' Redis is killed, and frozen, in the middle of traffic."""

import signal
import socket
import threading
import time

import pytest
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from redis import Redis

from amends import CircuitBreaker, CircuitOpenError
from amends.backend.client import impatient_client_of
from amends.breaker.gate import Gate
from amends.breaker.permit import Permit
from amends.breaker.redis_access import Away, RedisAccess
from amends.testing.clock import Clock
from tests.integration.breaker.callers import ServerError
from tests.support.eventually import eventually


class Traffic:
    """Threads that call a service, which works, until they are told to end; and what went wrong."""

    def __init__(self, breaker, threads=4):
        self._breaker = breaker
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._go) for _ in range(threads)]
        self.calls = 0
        self.errors = []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        for thread in self._threads:
            thread.join(60)

    def _go(self):
        while not self._ends.is_set():
            try:
                self._breaker.call(time.sleep, 0.002)
                self.calls += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it should not be
                self.errors.append(error)

    def go_on(self, calls=40):
        """Wait for so many more calls."""
        wanted = self.calls + calls
        eventually(lambda: self.calls >= wanted or self.errors)


def test_traffic_goes_on_while_redis_is_killed_frozen_and_back(server):
    app = Celery("bench", broker="memory://", set_as_current=False)
    app.conf.amends_backend = server.url
    app.set_default()
    app.set_current()
    payments = CircuitBreaker("outage", failure_on=(ServerError,))
    with Traffic(payments) as traffic, Redis.from_url(server.url) as client:
        traffic.go_on()
        server.kill()
        traffic.go_on()
        server.start()
        traffic.go_on()
        wait_until_asked(client, traffic)
        server.signal(signal.SIGSTOP)
        traffic.go_on()
        server.signal(signal.SIGCONT)
        traffic.go_on()
        wait_until_asked(client, traffic)
    assert traffic.errors == []


def wait_until_asked(client, traffic):
    """Wait until the breaker asks this Redis again."""
    client.config_resetstat()
    eventually(lambda: traffic.errors or "cmdstat_hmget" in client.info("commandstats"))


class CountingAccess(RedisAccess):
    """A way to Redis that counts how often it is tried."""

    tries = 0

    def _attempt(self, command):
        self.tries += 1
        return super()._attempt(command)


@pytest.mark.parametrize("way", ["killed", "frozen"])
def test_each_rest_costs_one_try_however_redis_is_away(server, way):
    clock = Clock()
    access = CountingAccess(impatient_client_of(server.url), clock=lambda: clock.now)
    options = CircuitBreaker("rests", failure_on=(ServerError,)).options
    gate = Gate("rests", options, access, clock=lambda: clock.now)

    def call():
        Permit(gate, *gate.acquire("t", 60.0), options=options).success()

    call()
    server.kill() if way == "killed" else server.signal(signal.SIGSTOP)
    for rest in (1, 2, 4):
        before = access.tries
        for _ in range(50):
            call()
        assert access.tries == before + 1
        clock.advance(rest)
    if way == "killed":
        server.start()
    server.signal(signal.SIGCONT)
    before = access.tries
    call()
    call()
    assert access.tries == before + 4


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda access: access.send(("TIME",)), id="commands"),
        pytest.param(lambda access: access.call("reset_breaker", ["b", "p", "e"]), id="script"),
    ],
)
def test_one_that_does_not_answer_is_asked_once(ask):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        access = RedisAccess(impatient_client_of(f"redis://127.0.0.1:{silent.getsockname()[1]}"))
        with pytest.raises(Away):
            ask(access)
        silent.settimeout(0)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_a_connection_that_redis_closed_is_no_outage(server):
    access = RedisAccess(impatient_client_of(server.url))
    access.send(("TIME",))
    with Redis.from_url(server.url) as client:
        client.client_kill_filter(_type="normal", skipme=True)
    assert access.send(("ECHO", "again")) == ["again"]
    assert access._errors == 0


@pytest.mark.fast_path
def test_an_answer_that_was_not_read_is_not_taken_for_another(server, monkeypatch):
    access = RedisAccess(impatient_client_of(server.url))
    access.send(("TIME",))
    (line,) = access._connections._idle
    with monkeypatch.context() as patch:
        patch.setattr(line.connection, "read_response", _time_is_up)
        with pytest.raises(SoftTimeLimitExceeded):
            access.send(("ECHO", "first"), ("ECHO", "second"))
    with pytest.raises(Away):  # the second answer is not read after this error
        access.send(("HGET", "amends"), ("ECHO", "third"))
    access._errors = 0
    assert access.send(("ECHO", "fourth")) == ["fourth"]


def _time_is_up():
    raise SoftTimeLimitExceeded


def test_what_was_open_is_so_when_redis_is_back(server):
    clock = Clock()
    access = RedisAccess(impatient_client_of(server.url), clock=lambda: clock.now)
    options = CircuitBreaker("back", failure_on=(ServerError,), failure_threshold=1).options
    gate = Gate("back", options, access, clock=lambda: clock.now)
    Permit(gate, *gate.acquire("t", 60.0), options=options).failure(ServerError("down"))
    server.kill()
    clock.advance(1)
    with pytest.raises(CircuitOpenError):
        gate.acquire("t", 60.0)
    server.start()
    clock.advance(1)
    other = Gate("back", options, access, clock=lambda: clock.now)
    with pytest.raises(CircuitOpenError):
        other.acquire("t", 60.0)


class Bench:
    """A breaker at a Redis of its own, by a clock that is moved, and a client beside it."""

    def __init__(self, url):
        self.clock = Clock()
        # With more patience than a breaker has: on a busy machine Redis is not away after a quarter of a second.
        client = impatient_client_of(url, patience=3.0)
        self.access = CountingAccess(client, clock=lambda: self.clock.now)
        self.options = CircuitBreaker("reports", failure_on=(ServerError,)).options
        self.gate = Gate("reports", self.options, self.access, clock=lambda: self.clock.now)
        self.client = Redis.from_url(url, decode_responses=True)
        self.key = self.gate.shared.keys[0]

    def acquire(self):
        return Permit(self.gate, *self.gate.acquire("t", 60.0), options=self.options)


@pytest.fixture
def bench(server):
    bench = Bench(server.url)
    yield bench
    bench.client.close()


@pytest.mark.fast_path
def test_a_success_is_sent_and_not_waited_for(server, bench):
    bench.acquire().failure(ServerError("down"))
    permit = bench.acquire()
    server.signal(signal.SIGSTOP)
    permit.success()
    assert bench.access._errors == 0
    server.signal(signal.SIGCONT)
    eventually(lambda: not bench.client.exists(bench.key))


@pytest.mark.fast_path
def test_an_answer_to_a_success_that_does_not_come_begins_a_rest(server, bench):
    permit = bench.acquire()
    server.signal(signal.SIGSTOP)
    permit.success()
    before = bench.access.tries
    for _ in range(50):
        bench.acquire().success()
    assert bench.access.tries == before + 1
    assert bench.access._rests_until - bench.clock.now == 1


@pytest.mark.fast_path
def test_after_a_rest_a_success_is_waited_for_since_only_an_answer_tells_that_redis_is_back(
    server, bench
):
    idle = bench.access._connections._idle
    permits = [bench.acquire()]
    first = idle.pop()
    permits.append(bench.acquire())  # on a second line, which stays connected
    server.signal(signal.SIGSTOP)
    idle.append(first)
    bench.acquire()
    idle.reverse()
    bench.clock.advance(1)
    permits[0].success()
    assert bench.access._errors == 2
    server.signal(signal.SIGCONT)
    bench.clock.advance(2)
    permits[1].success()
    assert bench.access._errors == 0


@pytest.mark.fast_path
def test_an_error_that_answers_a_success_begins_a_rest_and_is_not_taken_for_another_answer(bench):
    bench.access.report("HDEL", "too few")
    with pytest.raises(Away, match="wrong number of arguments"):
        bench.access.send(("ECHO", "first"))
    bench.clock.advance(1)
    assert bench.access.send(("ECHO", "second")) == ["second"]


def test_a_success_that_redis_has_is_not_sent_again_where_the_connection_was_closed(bench):
    bench.acquire().failure(ServerError("down"))
    permit = bench.acquire()
    permit.success()
    eventually(lambda: not bench.client.exists(bench.key))
    bench.client.client_kill_filter(_type="normal", skipme=True)
    bench.client.hset(bench.key, "f0", "1")  # another process's failure
    bench.acquire()
    assert bench.client.hget(bench.key, "f0") == "1"
    assert bench.access._errors == 0
