"""Rows S of the list of anomalies, on a real worker: what happens to a step and its messages."""

import threading

import pytest

from amends import NotDone, Refused, SagaAlreadyStarted
from amends.dispatch.coordinator import publish
from amends.log.answers import Publish
from tests.support.engine_saga import Job, after_effect, do_c, job_saga, without_effect
from tests.support.eventually import eventually


def run(saga_id, amount=1):
    handle = job_saga.start(Job(job_id=saga_id, amount=amount), saga_id=saga_id)
    return handle, handle.wait(timeout=60)


def test_s1_a_message_that_comes_twice_takes_effect_once(work, saga_id, app):
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    records = [("a", 0), ("b", 0), ("c", 0)]
    again = Publish(itinerary=job_saga.itinerary, number=1, wait=0.0, records=records)
    for _ in range(3):
        publish(app, saga_id, again)
    assert handle.wait(timeout=60).outcome == "completed"
    eventually(lambda: work.ended[f"{saga_id}.1.a"] == 4)
    assert work.records(saga_id) == ["a", "b", "c"]


def test_s2_an_undo_of_what_never_happened_succeeds_and_bars_it(work, saga_id):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    work.script(f"{saga_id}:b", *[without_effect(OSError("cut"))] * 3)
    work.script(f"{saga_id}:b:fallback", without_effect(Refused("no")))
    handle, result = run(saga_id)
    assert (handle.status, result.outcome) == ("compensated", "no_b")
    assert f"{saga_id}:b" in work.world.tombstones
    with pytest.raises(Refused):
        work.world.make(f"{saga_id}:b")


def test_s4_a_lost_reply_is_retried_under_the_same_key(work, saga_id):
    work.script(f"{saga_id}:a", after_effect(OSError("cut")))
    handle, result = run(saga_id)
    assert result.outcome == "completed"
    assert handle.snapshot().steps["a"].attempts == 2
    assert work.world.made[f"{saga_id}:a"] == 1


def test_s4_an_outcome_that_stays_unknown_is_undone_too(work, saga_id):
    work.script(f"{saga_id}:a", *[after_effect(OSError("cut"))] * 3)
    handle, result = run(saga_id)
    assert (handle.status, result.outcome) == ("compensated", "no_a")
    assert handle.snapshot().steps["a"].state == "compensated"
    assert f"{saga_id}:a" not in work.world.in_force
    assert work.world.undone[f"{saga_id}:a"] == 1


def test_s4_one_unknown_attempt_among_others_makes_the_step_unknown(work, saga_id):
    work.script(
        f"{saga_id}:a", after_effect(OSError("cut")), *[without_effect(NotDone("away"))] * 2
    )
    handle, _ = run(saga_id)
    assert handle.status == "compensated"
    assert "a:undo" in work.records(saga_id)
    assert f"{saga_id}:a" not in work.world.in_force


def test_s4_an_output_that_does_not_validate_is_an_unknown_outcome(work, saga_id, monkeypatch):
    monkeypatch.setattr(do_c, "function", lambda job: 42)
    handle, result = run(saga_id)
    assert result.outcome == "no_c"
    assert handle.snapshot().steps["c"].state == "unknown"
    assert "returned a int" in handle.snapshot().steps["c"].error


def test_s5_an_undo_has_its_own_key_and_runs_once_however_often_its_message_comes(
    work, saga_id, app
):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    records = [("b:undo", 0), ("a:undo", 0)]
    again = Publish(itinerary=job_saga.itinerary, number=90, wait=0.0, records=records)
    for _ in range(3):
        publish(app, saga_id, again)
    handle.wait(timeout=60)
    for _ in range(3):
        publish(app, saga_id, again)
    eventually(lambda: work.ended[f"{saga_id}.90.b.undo"] == 6)
    assert handle.status == "compensated"
    assert work.records(saga_id) == ["a", "b", "c", "b:undo", "a:undo"]
    keys = [call.context.idempotency_key for call in work.calls if call.context.saga_id == saga_id]
    assert len(set(keys)) == len(keys)


def test_s13_every_attempt_and_the_undo_get_the_same_input(work, saga_id):
    work.script(f"{saga_id}:b", *[without_effect(NotDone("away"))] * 2)
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    run(saga_id, amount=7)
    calls = [call for call in work.calls if call.context.saga_id == saga_id]
    assert {call.record for call in calls} == {"a", "b", "c", "b:undo", "a:undo"}
    assert {(call.request.job_id, call.request.amount) for call in calls} == {(saga_id, 7)}
    b = [call for call in calls if call.record == "b"]
    assert [call.context.attempt for call in b] == [1, 2, 3]
    assert len({call.context.idempotency_key for call in b}) == 1


def test_s9_what_a_zombie_reports_is_an_event_and_no_result(work, saga_id, log):
    goes_on, arrived = threading.Event(), threading.Event()

    def hang(key):
        arrived.set()
        assert goes_on.wait(60)
        work.world.make(key)

    work.script(f"{saga_id}:a", hang)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert arrived.wait(60)
    work.let_time_run_out(log, saga_id)
    result = handle.wait(timeout=60)
    goes_on.set()
    eventually(lambda: "step.late" in [event.name for event in handle.history()])
    assert result.outcome == "completed"
    assert handle.snapshot().steps["a"].attempts == 2
    assert [event.name for event in handle.history() if event.record == "a"] == [
        "step.started",
        "step.retrying",
        "step.started",
        "step.completed",
        "step.late",
    ]
    assert work.world.made[f"{saga_id}:a"] == 1


def test_s14_a_key_that_is_reused_with_another_input_is_refused(work, saga_id):
    run(saga_id, amount=1)
    with pytest.raises(SagaAlreadyStarted, match=f"saga '{saga_id}' was already started"):
        job_saga.start(Job(job_id=saga_id, amount=2), saga_id=saga_id)
    assert (
        job_saga.start(Job(job_id=saga_id, amount=1), saga_id=saga_id).wait(60).outcome
        == "completed"
    )
