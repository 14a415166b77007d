"""What an explanation says of a saga, in each situation that a worker brings it to."""

import json
import threading
from dataclasses import asdict

import pytest

from amends import (
    CircuitBreaker,
    NotDone,
    Refused,
    RetryPolicy,
    Saga,
    SagaStuck,
    Step,
    UnknownSaga,
    activity,
)
from amends.diagnosis.saga.explain import explain
from amends.diagnosis.saga.explanation import Remedy
from amends.dispatch.messages import task_id
from tests.support.engine_saga import (
    Job,
    after_effect,
    do_a,
    do_b,
    engine_saga,
    job_saga,
    undo_a,
    undo_b,
    without_effect,
)
from tests.support.eventually import eventually

pytestmark = pytest.mark.usefixtures("swept")

LATER = NotDone("the bank is closed", retry_after=200.0)

closed = CircuitBreaker("explained", failure_on=(OSError,))


@activity(retry=RetryPolicy(), breaker=closed)
def ship(job: Job) -> None:
    engine_saga.play(job)


shipping = Saga(
    "explained",
    input=Job,
    output=Job,
    steps=[
        Step(do_a, name="a", compensation=undo_a),
        Step(ship, compensation=None, outcome="unshipped"),
    ],
)


@pytest.fixture
def why(app):
    """Explain a saga; what is said has a form that JSON takes."""

    def explained(handle):
        found = explain(app, handle.id)
        json.dumps(asdict(found))
        return found

    return explained


@pytest.fixture
def held(work):
    """Hold the call of a record until the test ends, or says `let_go`."""
    goes_on = threading.Event()

    def hold(key):
        arrived = threading.Event()

        def act(effect):
            arrived.set()
            assert goes_on.wait(60)
            engine_saga.world.undo(effect) if key.endswith(":undo") else engine_saga.world.make(
                effect
            )

        work.script(key, act)
        return arrived

    hold.let_go = goes_on.set
    yield hold
    goes_on.set()


def start(saga_id, saga=job_saga):
    return saga.start(Job(job_id=saga_id), saga_id=saga_id)


def acts(explanation):
    return [(each.act, each.step) for each in explanation.remedies]


def undone(explanation):
    return [each.path for each in explanation.cancel.undoes]


def test_of_a_saga_that_is_not_there_nothing_is_said(app, saga_id):
    with pytest.raises(UnknownSaga):
        explain(app, saga_id)


def test_running_is_told_with_who_is_at_it_and_until_when(held, why, saga_id, worker):
    arrived = held(f"{saga_id}:b")
    handle = start(saga_id)
    assert arrived.wait(60)
    found = why(handle)
    assert (found.situation, found.status, found.record.path) == ("running", "running", "b")
    claim = found.claim
    assert claim.message == task_id(saga_id, 2, "b")
    assert (claim.worker, claim.lost) == (worker.hostname, None)
    assert claim.heartbeat_age < 10
    assert claim.soft_limit_at == pytest.approx(claim.since + 60.0)
    assert claim.hard_limit_at == pytest.approx(claim.since + 70.0)
    assert claim.given_up_at == found.next_at == pytest.approx(claim.since + 75.0)
    assert found.since == claim.since
    assert (found.record.attempts, found.record.max_attempts, found.record.error) == (0, 3, None)
    assert found.remaining == ("b", "c")
    assert acts(found) == [("cancel", None), ("pause", None)]


def test_what_a_cancel_would_undo_is_told_in_order_and_what_is_certain_of_it(held, why, saga_id):
    arrived = held(f"{saga_id}:c")
    handle = start(saga_id)
    assert arrived.wait(60)
    cancel = why(handle).cancel
    assert cancel.is_possible
    assert [(each.path, each.task, each.is_certain) for each in cancel.undoes] == [
        ("b:undo", undo_b.name, True),
        ("a:undo", undo_a.name, True),
    ]
    assert cancel.keeps == ("c",)


def test_of_what_runs_a_cancel_may_have_to_undo_it(held, why, saga_id):
    arrived = held(f"{saga_id}:b")
    handle = start(saga_id)
    assert arrived.wait(60)
    undoes = why(handle).cancel.undoes
    assert [(each.path, each.is_certain) for each in undoes] == [
        ("b:undo", False),
        ("a:undo", True),
    ]


def test_waiting_for_an_attempt_is_told_with_its_error_its_time_and_by_what(work, why, saga_id):
    work.script(f"{saga_id}:a", without_effect(LATER))
    handle = start(saga_id)
    eventually(lambda: handle.history()[-1].name == "step.retrying")
    found = why(handle)
    assert found.situation == "retrying"
    assert found.record.error == "NotDone: the bank is closed"
    assert (found.record.attempts, found.record.max_attempts) == (1, 3)
    assert (found.wait.by, found.next_at) == ("message", found.wait.until)
    assert found.wait.until == pytest.approx(handle.history()[-1].at + 200.0)
    assert acts(found) == [("retry", None), ("cancel", None)]
    assert found.cancel.undoes == ()
    handle.cancel()


def test_a_wait_that_is_too_long_for_a_message_is_the_logs(work, app, why, saga_id, monkeypatch):
    monkeypatch.setitem(app.conf, "amends_max_countdown", 10.0)
    work.script(f"{saga_id}:a", without_effect(LATER))
    handle = start(saga_id)
    eventually(lambda: handle.history()[-1].name == "step.retrying")
    found = why(handle)
    assert (found.wait.by, found.next_at) == ("log", found.looked_at)
    assert found.next_at == pytest.approx(found.wait.until, abs=0.1)
    handle.cancel()


def test_deferred_is_told_with_the_circuit_that_is_open_and_who_opened_it(work, why, saga_id):
    closed.force_open(by="ada", why="the carrier asked us")
    handle = start(saga_id, shipping)
    eventually(lambda: handle.history()[-1].name == "step.retrying")
    found = why(handle)
    assert found.situation == "deferred"
    assert (found.circuit.name, found.circuit.state) == ("explained", "forced_open")
    assert (found.circuit.by, found.circuit.why) == ("ada", "the carrier asked us")
    assert found.record.attempts == 0
    assert found.next_at > found.now
    assert undone(found) == ["a:undo"]
    closed.reset()
    handle.retry()
    assert handle.wait(timeout=60)


def test_a_circuit_that_this_process_does_not_have_is_named(work, why, saga_id, monkeypatch):
    closed.force_open()
    handle = start(saga_id, shipping)
    eventually(lambda: handle.history()[-1].name == "step.retrying")
    monkeypatch.setattr("amends.diagnosis.saga.position.circuit_named", lambda _: None)
    assert why(handle).circuit.name == "explained"
    assert why(handle).circuit.state is None
    closed.reset()
    handle.cancel()


def test_the_way_to_the_fallback_is_told_as_a_void_and_then_the_fallback(held, work, why, saga_id):
    work.script(f"{saga_id}:b", *[after_effect(OSError("cut"))] * 3)
    voiding, replacing = held(f"{saga_id}:b:undo"), held(f"{saga_id}:b:fallback")
    handle = start(saga_id)
    assert voiding.wait(60)
    found = why(handle)
    assert (found.record.path, found.record.role) == ("b:undo", "void")
    assert (found.record.task, found.record.undoes) == (undo_b.name, do_b.name)
    assert found.remaining == ("b:undo", "b:fallback", "c")
    assert undone(found) == ["b:undo", "a:undo"]
    held.let_go()
    assert replacing.wait(60)
    assert handle.wait(timeout=60).outcome == "completed"


def test_going_back_is_told_with_its_error_and_outcome(held, work, why, saga_id):
    work.script(f"{saga_id}:b", without_effect(Refused("no money")))
    arrived = held(f"{saga_id}:a:undo")
    handle = start(saga_id)
    assert arrived.wait(60)
    found = why(handle)
    assert (found.status, found.situation) == ("compensating", "running")
    assert (found.record.role, found.remaining) == ("undo", ("a:undo",))
    assert (found.turn.outcome, found.turn.error) == ("no_b", "Refused: no money")
    assert not found.cancel.is_possible
    assert acts(found) == [("pause", None)]
    assert found.deadline_at is None


def test_a_cancelled_saga_says_who_did_it_and_waits_for_what_runs(held, why, saga_id):
    arrived = held(f"{saga_id}:b")
    handle = start(saga_id)
    assert arrived.wait(60)
    handle.cancel(by="ada", why="the customer called")
    found = why(handle)
    assert (found.status, found.record.path, found.remaining) == ("compensating", "b", ("a:undo",))
    assert [(action.name, action.by, action.why) for action in found.actions] == [
        ("saga.cancelled", "ada", "the customer called")
    ]
    assert found.turn.outcome == "cancelled"


def test_paused_is_told_with_who_did_it_and_why(held, why, saga_id):
    arrived = held(f"{saga_id}:a")
    handle = start(saga_id)
    assert arrived.wait(60)
    handle.pause(by="ada", why="a deploy")
    assert why(handle).situation == "running"
    assert acts(why(handle)) == [("resume", None), ("cancel", None)]
    held.let_go()
    eventually(lambda: handle.snapshot().steps["a"].state == "done")
    found = why(handle)
    assert found.situation == "paused"
    assert (found.pause.by, found.pause.why) == ("ada", "a deploy")
    assert (found.next_at, found.record.path) == (None, "b")
    assert acts(found) == [("resume", None), ("cancel", None)]
    handle.resume()
    handle.wait(timeout=60)
    assert why(handle).pause is None


@pytest.fixture
def stuck(work, saga_id):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    for undo in ("a:undo", "b:undo"):
        work.script(f"{saga_id}:{undo}", *[without_effect(ValueError(f"{undo} broke"))] * 3)
    handle = start(saga_id)
    with pytest.raises(SagaStuck):
        handle.wait(timeout=60)
    return handle


def test_stuck_is_told_with_each_undo_that_failed_and_what_to_do(stuck, why):
    found = why(stuck)
    assert (found.situation, found.record, found.next_at) == ("stuck", None, None)
    assert [(each.path, each.task, each.attempts, each.error) for each in found.failures] == [
        ("a:undo", undo_a.name, 3, "ValueError: a:undo broke"),
        ("b:undo", undo_b.name, 3, "ValueError: b:undo broke"),
    ]
    assert acts(found) == [("retry", None), ("skip", "a"), ("skip", "b")]
    assert not any(remedy.output_fields for remedy in found.remedies)
    assert found.turn.error == "Refused: no"


def test_each_act_that_is_offered_for_a_stuck_saga_is_one_that_the_log_takes(stuck, why):
    for remedy in why(stuck).remedies:
        if remedy.act == "skip":
            stuck.skip(remedy.step, by="ada", seen=why(stuck).events)
    assert stuck.status == "compensated"
    assert [action.record for action in why(stuck).actions] == ["a:undo", "b:undo"]


def test_after_a_retry_attempts_count_anew_and_those_before_are_told(stuck, why, held):
    arrived = held(f"{stuck.id}:b:undo")
    stuck.retry(by="ada", why="the bank is back")
    assert arrived.wait(60)
    record = why(stuck).record
    assert (record.path, record.attempts, record.spent) == ("b:undo", 0, 3)


def test_of_an_ended_saga_nothing_more_is_to_come(work, why, saga_id):
    handle = start(saga_id)
    handle.wait(timeout=60)
    found = why(handle)
    assert (found.situation, found.outcome, found.next_at) == ("ended", "completed", None)
    assert (found.remedies, found.cancel.is_possible, found.remaining) == ((), False, ())
    assert found.ended_at == pytest.approx(found.since)
    assert found.overdue == 0


def test_a_parked_saga_can_be_tried_again_cancelled_or_its_step_done_by_hand(
    app, log, saga_id, why
):
    log.starts.start_saga(saga_id, job_saga.itinerary, '{"amount":1,"job_id":"x"}')
    handle = job_saga.get(saga_id)
    log.dispatch_saga(saga_id, longest_wait=300.0)
    assert log.note_unregistered(saga_id, "a", task=do_a.name, most=1) == "parked"
    found = why(handle)
    assert (found.situation, found.reason) == ("stuck", f"no worker knows the task {do_a.name}")
    assert (found.failures, found.record.path) == ((), "a")
    assert found.remedies == (
        Remedy(act="retry"),
        Remedy(act="skip", step="a", output_fields=("part",)),
        Remedy(act="cancel"),
    )
    handle.cancel()
