"""Many processes share one breaker: one of them makes the call, whatever becomes of it."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from amends import CircuitOpenError
from tests.integration.breaker.callers import FORK, ServerError, fail, in_processes

CALLERS = 50


def names_of(breaker):
    return [event.name.removeprefix("breaker.") for event in breaker.history()]


def try_to_call(breaker, tried=None, call=lambda: None):
    """Make a call if it is let through, which ends when everybody has tried."""
    try:
        permit = breaker.acquire()
    except CircuitOpenError:
        if tried:
            tried.wait(60)
        return 0
    call()
    if tried:
        tried.wait(60)
    permit.success()
    return 1


@pytest.mark.parametrize("outcome", ["success", "failure"])
def test_50_processes_at_half_open_make_one_call_and_one_event(define, let_it_pass, outcome):
    payments = define()
    fail(payments, 3)
    let_it_pass(payments)
    ready, tried = FORK.Barrier(CALLERS), FORK.Barrier(CALLERS)

    def caller(_number):
        ready.wait(60)
        try:
            permit = payments.acquire()
        except CircuitOpenError as error:
            tried.wait(60)
            return error.state
        tried.wait(60)
        getattr(permit, outcome)()
        return "called"

    states = in_processes(CALLERS, caller)
    assert sorted(states) == ["called"] + ["half_open"] * (CALLERS - 1)
    last = "closed" if outcome == "success" else "opened"
    assert names_of(payments) == ["opened", "half_opened", last]


@pytest.mark.parametrize("slots", [1, 3])
def test_threads_at_half_open_make_as_many_calls_as_there_are_slots(define, let_it_pass, slots):
    payments = define(half_open_max_calls=slots, success_threshold=slots)
    fail(payments, 3)
    let_it_pass(payments)
    tried = threading.Barrier(20)
    with ThreadPoolExecutor(20) as threads:
        calls = sum(threads.map(lambda _: try_to_call(payments, tried), range(20)))
    assert calls == slots
    assert names_of(payments) == ["opened", "half_opened", "closed"]


def fail_its_call(breaker):
    fail(breaker)


def make_its_call(breaker):
    breaker.call(lambda: None)


def force_it_open(breaker):
    breaker.force_open()


def disable_it(breaker):
    breaker.disable()


def answer_of(breaker):
    try:
        permit = breaker.acquire()
    except CircuitOpenError as error:
        return error.state
    return "a probe" if permit.is_probe else "admitted"


@pytest.mark.parametrize(
    ("others", "met"),
    [
        (fail_its_call, "open"),
        (make_its_call, "admitted"),
        (force_it_open, "forced_open"),
        (disable_it, "admitted"),
    ],
)
def test_who_saw_that_its_time_was_over_meets_what_others_made_of_it_since(
    define, let_it_pass, monkeypatch, others, met
):
    payments = define()
    fail(payments, 3)
    let_it_pass(payments)
    access, moved = payments._gate().shared._access, []
    with monkeypatch.context() as patch:

        def call_late(*arguments):
            patch.undo()
            others(payments)
            moved.extend(names_of(payments))
            return access.call(*arguments)

        patch.setattr(access, "call", call_late)
        assert answer_of(payments) == met
    assert names_of(payments) == moved
    assert payments.snapshot().probes == {}


def test_failures_of_many_processes_open_it_once(define):
    payments = define(failure_threshold=10)
    ready = FORK.Barrier(10)

    def caller(_number):
        permits = [payments.acquire() for _ in range(3)]
        ready.wait(60)
        for permit in permits:
            permit.failure(ServerError("down"))

    in_processes(10, caller)
    assert names_of(payments) == ["opened"]
    snapshot = payments.snapshot()
    assert (snapshot.state, snapshot.opens, snapshot.late) == ("open", 1, 20)


def test_a_killed_probe_is_replaced_after_its_lease_and_by_one_caller(define, let_it_pass):
    payments = define()
    fail(payments, 3)
    let_it_pass(payments)
    holds = FORK.Event()

    def hold():
        payments.acquire(token="killed", lease=1000.0)
        holds.set()
        signal.pause()

    child = FORK.Process(target=hold, daemon=True)
    child.start()
    assert holds.wait(60)
    os.kill(child.pid, signal.SIGKILL)
    child.join(60)
    with pytest.raises(CircuitOpenError) as refused:
        payments.acquire()
    assert refused.value.state == "half_open"
    assert 900 < refused.value.retry_after <= 1000
    let_it_pass(payments)
    ready, tried = FORK.Barrier(10), FORK.Barrier(10)

    def caller(_number):
        ready.wait(60)
        return try_to_call(payments, tried)

    assert sum(in_processes(10, caller)) == 1
    assert names_of(payments) == ["opened", "half_opened", "closed"]


def test_a_killed_probe_that_its_main_process_reports_opens_it_at_once(define, let_it_pass):
    payments = define()
    fail(payments, 3)
    let_it_pass(payments)
    payments.acquire(token="task.0", lease=1000.0)
    payments.report_killed("task.0", ran_for=5.0, why="TimeLimitExceeded(30,)")
    assert payments.state == "open"
    assert payments.history()[-1].details["token"].startswith("task.0")


def test_late_results_of_every_earlier_epoch_change_nothing(define, let_it_pass):
    payments = define(failure_threshold=1)
    late = []
    for _ in range(3):
        late += [payments.acquire() for _ in range(4)]  # closed
        fail(payments)
        let_it_pass(payments)
        late.append(payments.acquire())  # a probe that loses its slot
        let_it_pass(payments)
        payments.acquire().failure(ServerError("down"))
        let_it_pass(payments)
        payments.acquire().success()
    for act in (payments.force_open, payments.disable, payments.reset):
        late.append(payments.acquire())
        act()
        payments.clear_override()
    payments.acquire()
    before, events = vars(payments.snapshot()), payments.history()
    results = [
        lambda permit: permit.failure(ServerError("down")),
        lambda permit: permit.success(),
        lambda permit: permit.release(),
    ]
    for number, permit in enumerate(late):
        results[number % 3](permit)
    after = vars(payments.snapshot())
    assert after.pop("late") > before.pop("late")
    assert (after, payments.history()) == (before, events)


def test_a_success_from_before_the_failures_does_not_take_them_back(define):
    payments = define()
    old = payments.acquire()
    payments.reset()
    fail(payments, 2)
    old.success()
    assert payments.snapshot().failures == 2


def test_threads_and_forked_children_share_it(define):
    payments = define()
    payments.call(lambda: None)  # the parent has its connection
    in_processes(3, lambda _number: fail(payments))
    with pytest.raises(CircuitOpenError):
        payments.acquire()
    with ThreadPoolExecutor(5) as threads:
        states = list(threads.map(lambda _: payments.state, range(5)))
    assert states == ["open"] * 5


def test_a_child_that_is_forked_while_locks_are_held_and_redis_is_away_goes_on(define, monkeypatch):
    payments = define(failure_threshold=4)
    payments.call(lambda: None)
    gate = payments._gate()
    access = gate.shared._access
    with gate._local._lock, access._lock, monkeypatch.context() as patch:
        patch.setattr(access, "_errors", 1)
        patch.setattr(access, "_rests_until", float("inf"))
        in_processes(2, lambda _number: fail(payments, 2))
    assert payments.state == "open"


def test_a_probe_that_is_forked_is_not_reported_twice(define, let_it_pass):
    payments = define(success_threshold=5, half_open_max_calls=2)
    fail(payments, 3)
    let_it_pass(payments)
    probe = payments.acquire()
    in_processes(3, lambda _number: probe.success())
    probe.success()
    snapshot = payments.snapshot()
    assert (snapshot.successes, snapshot.late) == (1, 3)


def test_a_retried_task_is_one_probe(define, let_it_pass):
    """A message that comes twice brings the same token: its holder was killed, and its slot is its own."""
    payments = define()
    fail(payments, 3)
    let_it_pass(payments)
    payments.acquire(token="task.0")
    again = payments.acquire(token="task.0")
    with pytest.raises(CircuitOpenError):
        payments.acquire(token="task.1")
    again.success()
    assert payments.state == "closed"
