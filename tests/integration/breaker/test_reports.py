"""A success is sent and not waited for, and Redis has it before anything that this process does afterwards."""

import socket
import threading
from contextlib import contextmanager

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from redis.exceptions import TimeoutError as NoAnswer

from amends.breaker.redis_access import Away
from tests.integration.breaker.callers import ServerError, fail, in_processes
from tests.support.eventually import eventually

pytestmark = pytest.mark.fast_path


class SlowLine:
    """A connection on which everything takes its time: it arrives when an answer is waited for."""

    def __init__(self, connection, monkeypatch):
        self.connection = connection
        self._send, self._read = connection.send_packed_command, connection.read_response
        self.under_way = []
        self.before_reading = lambda: None
        monkeypatch.setattr(connection, "send_packed_command", self._send_late)
        monkeypatch.setattr(connection, "read_response", self._read_late)

    def _send_late(self, packed, **_options):
        self.under_way = [*self.under_way, *packed]

    def _read_late(self, **options):
        self.before_reading()
        packed, self.under_way = self.under_way, []
        self._send(packed)
        return self._read(**options)

    def break_off(self):
        """Break before what is under way arrived."""
        self.under_way = []
        self.connection._sock.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def payments(define):
    """Give a breaker that failed twice, and counts."""
    payments = define(failure_threshold=100)
    fail(payments, 2)
    return payments


def kept_connections_of(payments):
    return payments._gate().shared._access._connections


@pytest.fixture
def slow(payments, monkeypatch):
    """Give the one line of this process, where a success takes its time."""
    access = payments._gate().shared._access
    lines = access._connections
    lines.forget()
    lines.exchange((("TIME",),))
    (line,) = lines._idle
    yield SlowLine(line.connection, monkeypatch)
    lines.forget()
    access._errors = 0


def in_thread(act):
    thread = threading.Thread(target=act)
    thread.start()
    return thread


@contextmanager
def another_line(payments):
    """Have the line of the success in use."""
    idle = kept_connections_of(payments)._idle
    line = idle.pop()
    yield
    idle.append(line)


def fail_on_another_line(payments):
    with another_line(payments):
        fail(payments)


def fail_in_another_thread(payments):
    in_thread(lambda: fail(payments)).join()


def be_killed(payments):
    payments.report_killed("task.0", ran_for=0.0, why="killed")


@pytest.mark.parametrize(
    "fail_again", [fail, fail_on_another_line, fail_in_another_thread, be_killed]
)
def test_a_failure_after_a_success_is_counted_alone(payments, slow, fail_again):
    payments.acquire().success()
    assert slow.under_way
    fail_again(payments)
    assert payments.snapshot().failures == 1


def test_a_permit_that_fails_after_another_succeeded_is_counted_alone(payments, slow):
    first, second = payments.acquire(), payments.acquire()
    first.success()
    second.failure(ServerError("down"))
    assert payments.snapshot().failures == 1


def test_a_permit_asked_for_on_another_line_is_so_after_the_success(payments, slow, client):
    payments.acquire().success()
    with another_line(payments):
        payments.acquire()
    assert not client.exists(*payments._gate().shared.keys)


def test_who_reads_sees_what_succeeded_before(payments, slow):
    payments.acquire().success()
    assert payments.snapshot().failures == 0


def test_a_failure_waits_for_whoever_reads_the_answer_of_a_success(payments, slow):
    first, second = payments.acquire(), payments.acquire()
    first.success()
    reads, may_read = threading.Event(), threading.Event()

    def wait():
        reads.set()
        may_read.wait(60)

    slow.before_reading = wait
    reader = in_thread(payments.acquire)
    assert reads.wait(60)
    failing = in_thread(lambda: second.failure(ServerError("down")))
    failing.join(0.2)
    may_read.set()
    reader.join(60)
    failing.join(60)
    assert payments.snapshot().failures == 1


def test_who_waits_for_another_in_vain_does_not_wait_once_more(payments, slow):
    access = payments._gate().shared._access
    payments.acquire().success()
    line = kept_connections_of(payments)._idle[-1]
    reads, asked, told = threading.Event(), [], []

    def wait():
        reads.set()
        eventually(waiting.is_alive)
        waiting.join(0.2)
        raise NoAnswer

    def ask():
        assert reads.wait(60)
        try:
            access.ask(asked.append)
        except Away as away:
            told.append(away)

    slow.before_reading = wait
    waiting = in_thread(ask)
    payments.acquire().release()
    waiting.join(60)
    assert (len(told), asked) == (1, [])
    assert not line.report


@pytest.mark.parametrize("look", ["by another line", "by the same line"])
def test_a_success_that_broke_off_with_its_connection_is_sent_again_first(
    payments, slow, client, look
):
    permit = payments.acquire()
    payments.acquire().success()
    slow.break_off()
    if look == "by the same line":
        payments.acquire()
        assert client.exists(*payments._gate().shared.keys) == 0
    permit.failure(ServerError("down"))
    assert payments.snapshot().failures == 1
    assert payments._gate().shared._access._errors == 0


def test_two_successes_that_broke_off_are_sent_again(define, payments, slow):
    others = define(failure_threshold=100)
    fail(others, 2)
    permits = [payments.acquire(), others.acquire()]
    permits[0].success()
    slow.break_off()
    permits[1].success()
    assert (payments.snapshot().failures, others.snapshot().failures) == (0, 0)


def test_a_success_whose_answer_was_being_read_when_time_was_up_is_sent_again(payments, slow):
    payments.acquire().success()

    def time_is_up():
        slow.break_off()
        raise SoftTimeLimitExceeded

    slow.before_reading = time_is_up
    with pytest.raises(SoftTimeLimitExceeded):
        payments.acquire()
    slow.before_reading = lambda: None
    assert payments.snapshot().failures == 0


def test_a_success_is_out_when_its_process_ends(payments):
    def succeed_and_end(_number):
        permits = [payments.acquire() for _ in range(20)]
        for permit in permits:
            permit.success()

    in_processes(1, succeed_and_end)
    eventually(lambda: payments.snapshot().failures == 0)


def test_a_forked_child_leaves_the_answer_to_its_parent(payments):
    first, second = payments.acquire(), payments.acquire()
    first.success()
    access = payments._gate().shared._access

    def child(number):
        second.success()
        return access.send(("ECHO", f"child {number}"))

    assert in_processes(3, child) == [[f"child {number}"] for number in range(3)]
    assert access.send(("ECHO", "parent")) == ["parent"]
    assert access._errors == 0


def test_many_threads_each_see_their_own_acts_in_order(define):
    seen = []

    def act():
        breaker = define(failure_threshold=100)
        for _ in range(40):
            fail(breaker)
            breaker.call(lambda: None)
            seen.append(breaker.snapshot().failures)
            breaker.call(lambda: None)
            fail(breaker)
            seen.append(breaker.snapshot().failures)

    threads = [in_thread(act) for _ in range(6)]
    for thread in threads:
        thread.join(60)
    assert seen.count(0) == seen.count(1) == 6 * 40
