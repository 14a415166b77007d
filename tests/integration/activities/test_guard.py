"""Activities behind a circuit breaker: what an open circuit means for a step, and for an undo."""

import time
import uuid

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from amends import (
    CircuitBreaker,
    DefinitionError,
    NotDone,
    Refused,
    RetryPolicy,
    Saga,
    Step,
    activity,
)
from amends.backend.settings import Settings
from amends.breaker.permit import Permit
from amends.breaker.scope import circuit_name
from tests.support.engine_saga import (
    Job,
    Part,
    after_effect,
    do_a,
    do_c,
    engine_saga,
    undo_a,
    without_effect,
)

QUICK = RetryPolicy(max_attempts=6, initial_interval=0.01, max_interval=0.01, jitter=0.0)
CUT = (NotDone, OSError)

switching = CircuitBreaker("test-switching", failure_threshold=2, failure_on=CUT)
failing = CircuitBreaker("test-failing", failure_threshold=2, failure_on=CUT)
waiting = CircuitBreaker("test-waiting", failure_threshold=2, reset_timeout=0.3, failure_on=CUT)
undoing = CircuitBreaker("test-undoing", failure_threshold=1, reset_timeout=0.3, failure_on=CUT)


@activity(retry=QUICK, breaker=switching, on_circuit_open="fallback")
def pay(job: Job) -> Part:
    engine_saga.play(job)
    return Part(part="paid")


@activity(retry=QUICK)
def pay_otherwise(job: Job) -> Part:
    engine_saga.play(job)
    return Part(part="paid otherwise")


@activity(retry=QUICK, breaker=undoing)
def refund(job: Job, part: Part | None) -> None:
    engine_saga.play(job, part)


@activity(retry=QUICK, breaker=failing, on_circuit_open="fail", start_to_close_timeout=0.05)
def call(job: Job) -> None:
    engine_saga.play(job)


@activity(retry=QUICK, breaker=waiting)
def ship(job: Job) -> None:
    engine_saga.play(job)


def saga_of(name, *steps, timeout=None):
    return Saga(name, input=Job, output=Job, steps=list(steps), timeout=timeout)


paying = saga_of(
    "paying",
    Step(do_a, name="a", compensation=undo_a),
    Step(pay, fallback=pay_otherwise, compensation=refund, outcome="unpaid"),
    Step(do_c, name="c", compensation=None, outcome="no_c"),
)
calling = saga_of("calling", Step(call, compensation=None, outcome="not_called"))
shipping = saga_of("shipping", Step(ship, compensation=None, outcome="unshipped"))
hasty = saga_of("hasty", Step(ship, compensation=None, outcome="unshipped"), timeout=5.0)


@pytest.fixture(autouse=True)
def closed(work):
    for breaker in (switching, failing, waiting, undoing):
        breaker.reset()


def run(saga, saga_id):
    handle = saga.start(Job(job_id=saga_id), saga_id=saga_id)
    handle.wait(timeout=60)
    return handle


def errors(handle, name):
    return [e.details["error"]["type"] for e in handle.history() if e.name == name]


def test_an_open_circuit_leaves_a_step_that_was_not_done_to_its_fallback_at_once(work, saga_id):
    work.script(f"{saga_id}:pay", *[without_effect(NotDone("away"))] * 6)
    handle = run(paying, saga_id)
    assert work.records(saga_id) == ["a", "pay", "pay", "pay:fallback", "c"]
    step = handle.snapshot().steps["pay"]
    assert (step.channel, step.channels["primary"].attempts) == ("fallback", 2)
    assert step.channels["primary"].error.startswith("CircuitOpenError: circuit 'test-switching'")
    assert errors(handle, "step.failed") == ["CircuitOpenError"]


def test_c10_the_failures_that_opened_it_are_unknown_and_so_the_primary_is_undone_first(
    work, saga_id
):
    work.script(f"{saga_id}:pay", *[after_effect(OSError("cut"))] * 6)
    run(paying, saga_id)
    assert work.records(saga_id) == ["a", "pay", "pay", "pay:undo", "pay:fallback", "c"]
    assert f"{saga_id}:pay" not in work.world.in_force
    assert f"{saga_id}:pay:fallback" in work.world.in_force


def test_a_circuit_that_one_saga_opened_spares_the_service_the_others_calls(work, saga_id):
    switching.force_open(by="ada", why="test")
    handles = [run(paying, f"{saga_id}-{n}") for n in range(3)]
    switching.clear_override(by="ada", why="test")
    assert not [each for handle in handles for each in work.records(handle.id) if each == "pay"]
    assert {handle.outcome for handle in handles} == {"completed"}


def test_an_open_circuit_that_is_to_fail_fails_the_step_at_once(work, saga_id):
    failing.force_open(by="ada", why="test")
    handle = run(calling, saga_id)
    failing.clear_override(by="ada", why="test")
    assert (handle.status, handle.outcome) == ("compensated", "not_called")
    step = handle.snapshot().steps["call"]
    assert (step.state, step.attempts) == ("failed", 0)
    assert work.records(saga_id) == []


def test_a_deferred_step_waits_for_the_circuit_and_spends_no_attempt(work, saga_id):
    work.script(f"{saga_id}:ship", *[without_effect(NotDone("away"))] * 2)
    handle = run(shipping, saga_id)
    assert handle.outcome == "completed"
    assert work.records(saga_id) == ["ship"] * 3
    assert handle.snapshot().steps["ship"].attempts == 3
    retried = errors(handle, "step.retrying")
    assert retried[:2] == ["NotDone", "NotDone"]
    assert set(retried[2:]) == {"CircuitOpenError"}
    assert waiting.state == "closed"


def test_a_deferred_step_fails_where_its_wait_would_pass_the_sagas_deadline(work, saga_id):
    waiting.force_open(by="ada", why="test")  # which is no promise to be open again in time
    handle = hasty.start(Job(job_id=saga_id), saga_id=saga_id)
    handle.wait(timeout=60)
    waiting.clear_override(by="ada", why="test")
    assert handle.outcome == "unshipped"
    assert handle.snapshot().steps["ship"].attempts == 0


def test_an_undo_is_deferred_by_its_own_breaker(work, saga_id):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    work.script(f"{saga_id}:pay:undo", without_effect(OSError("cut")))
    handle = run(paying, saga_id)
    assert (handle.status, handle.outcome) == ("compensated", "no_c")
    assert work.records(saga_id).count("pay:undo") == 2
    assert "CircuitOpenError" in errors(handle, "step.retrying")


def test_an_undo_is_not_kept_from_what_it_undoes_by_the_breaker_of_that(work, saga_id):
    def open_and_refuse(_):
        switching.force_open()
        raise Refused("no")

    work.script(f"{saga_id}:c", open_and_refuse)
    handle = run(paying, saga_id)
    switching.clear_override()
    assert handle.status == "compensated"


def test_a_circuit_of_a_worker_has_the_name_that_celery_gives_the_worker(worker):
    assert circuit_name("payments", "worker") == f"payments@{worker.hostname}"


def test_a_refusal_neither_opens_nor_closes(work, saga_id):
    work.script(f"{saga_id}:call", without_effect(Refused("no")))
    run(calling, saga_id)
    assert failing.state == "closed"


def test_a_success_between_failures_begins_the_count_anew(work, saga_id):
    for n in range(3):
        work.script(f"{saga_id}-{n}:call", without_effect(NotDone("away")))
        assert run(calling, f"{saga_id}-{n}").outcome == "completed"
    assert failing.state == "closed"


def test_an_attempt_past_its_time_is_a_failure_of_its_breaker(work, saga_id):
    def take_too_long(_):
        time.sleep(0.06)
        raise SoftTimeLimitExceeded

    work.script(f"{saga_id}:call", *[take_too_long] * 2)
    assert run(calling, saga_id).outcome == "not_called"
    assert failing.state == "open"


def test_a_limit_that_leaves_a_call_no_time_of_its_own_says_nothing_of_the_service(work, saga_id):
    # The log took it, before the call began.
    work.script(f"{saga_id}:call", *[without_effect(SoftTimeLimitExceeded())] * 2)
    assert run(calling, saga_id).outcome == "completed"
    assert (failing.state, failing.snapshot().failures) == ("closed", 0)


def test_a_probe_has_its_place_for_longer_than_an_attempt_may_take(work, saga_id):
    leases = []
    work.script(f"{saga_id}:ship", lambda _: leases.extend(waiting.snapshot().probes.values()))
    for _ in range(2):
        waiting.acquire().failure()
    run(shipping, saga_id)
    claimed_for = ship.start_to_close_timeout + Settings.give_up_after
    assert claimed_for < leases[0] < claimed_for + 10


def test_a_soft_limit_that_comes_while_a_result_is_recorded_changes_nothing(
    work, saga_id, monkeypatch
):
    def be_late(*_):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(Permit, "record", be_late)
    handle = run(calling, saga_id)
    assert (handle.outcome, handle.snapshot().steps["call"].attempts) == ("completed", 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on_circuit_open": "fail"}, "give the breaker="),
        ({"breaker": "payments"}, "not a CircuitBreaker"),
        ({"breaker": failing, "on_circuit_open": "explode"}, "not 'defer', 'fallback' or 'fail'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, said):
    with pytest.raises(DefinitionError, match=said):

        @activity(name=f"test.{uuid.uuid4().hex}", **options)
        def step(job: Job) -> None: ...


def test_an_undo_that_an_open_circuit_would_fail_is_refused():
    with pytest.raises(DefinitionError, match="an undo can only be deferred"):

        @activity(breaker=failing, on_circuit_open="fail")
        def undo(job: Job, part: Part | None) -> None: ...
