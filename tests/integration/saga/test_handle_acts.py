"""What a person does to a saga through its handle, while a worker runs."""

import threading

import pytest
from pydantic import ValidationError

import amends
from amends import ActRefused, Refused, SagaStuck
from tests.support.engine_saga import (
    Job,
    Part,
    after_effect,
    do_b,
    engine_saga,
    job_saga,
    without_effect,
)
from tests.support.eventually import eventually


@pytest.fixture
def stuck(work, saga_id):
    """Give a saga that stands stuck: the undo of its first step failed for good."""
    work.script(f"{saga_id}:b", without_effect(Refused("no")))
    work.script(f"{saga_id}:a:undo", *[without_effect(ValueError("no"))] * 3)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(SagaStuck, match="a:undo failed for good"):
        handle.wait(timeout=60)
    return handle


def acts_of(handle):
    return [(e.name, e.record, e.details) for e in handle.history() if "by" in e.details]


def test_a_stuck_saga_that_is_retried_has_all_its_attempts_again_and_ends(stuck):
    engine_saga.script(f"{stuck.id}:a:undo", *[without_effect(ValueError("still"))] * 2)
    stuck.retry(by="ada", why="the bank is back")
    assert stuck.wait(timeout=60).outcome == "no_b"
    assert stuck.status == "compensated"
    assert stuck.snapshot().steps["a"].channels["primary"].undo_attempts == 6
    assert f"{stuck.id}:a" not in engine_saga.world.in_force
    assert acts_of(stuck) == [("saga.retried", None, {"by": "ada", "why": "the bank is back"})]


def test_a_step_goes_on_counting_its_attempts_after_a_retry(stuck):
    stuck.retry()
    stuck.wait(timeout=60)
    calls = [call for call in engine_saga.calls if call.context.saga_id == stuck.id]
    attempts = [call.context.attempt for call in calls if call.record == "a:undo"]
    assert attempts == [1, 2, 3, 4]


def test_a_stuck_undo_that_was_done_by_hand_is_skipped(stuck):
    stuck.skip("a", by="ada", why="refunded by hand")
    assert stuck.wait(timeout=60).outcome == "no_b"
    assert (stuck.status, stuck.snapshot().steps["a"].state) == ("compensated", "skipped")
    assert acts_of(stuck) == [
        ("step.skipped", "a:undo", {"by": "ada", "why": "refunded by hand"}),
    ]


@pytest.fixture
def paused(work, saga_id):
    """Give a saga that was paused while its first step ran, which then finished."""
    arrived, goes_on = threading.Event(), threading.Event()

    def hold(key):
        arrived.set()
        assert goes_on.wait(60)
        engine_saga.world.make(key)

    work.script(f"{saga_id}:a", hold)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert arrived.wait(60)
    handle.pause(by="ada")
    goes_on.set()
    eventually(lambda: handle.snapshot().steps["a"].state == "done")
    return handle


def test_a_paused_saga_keeps_the_result_that_came_and_goes_on_when_it_is_resumed(paused):
    with pytest.raises(TimeoutError):
        paused.wait(timeout=0.5)
    assert paused.snapshot().paused
    paused.resume(by="ada")
    assert paused.wait(timeout=60).outcome == "completed"
    assert engine_saga.records(paused.id) == ["a", "b", "c"]
    assert not paused.snapshot().paused


def test_a_cancel_of_a_paused_saga_undoes_once_it_is_resumed(paused):
    assert paused.cancel()
    assert paused.status == "compensating"
    paused.resume()
    assert paused.wait(timeout=60).outcome == "cancelled"
    assert engine_saga.records(paused.id) == ["a", "a:undo"]


def test_a_step_that_was_done_by_hand_is_skipped_with_its_output(paused):
    paused.skip("b", output=Part(part="by hand"), by="ada")
    paused.resume()
    result = paused.wait(timeout=60)
    assert (result.outcome, result.part) == ("completed", "by hand")
    assert paused.snapshot().steps["b"].state == "skipped"
    assert engine_saga.records(paused.id) == ["a", "c"]


def test_a_skipped_step_s_output_may_be_plain_data(paused):
    amends.get(paused.id).skip("b", output={"part": "by hand"})
    paused.resume()
    assert paused.wait(timeout=60).part == "by hand"


def test_a_step_is_skipped_only_with_an_output_that_validates(paused):
    with pytest.raises(ActRefused, match="b needs its output, a Part"):
        paused.skip("b")
    with pytest.raises(ValidationError):
        paused.skip("b", output={"piece": "by hand"})
    assert paused.snapshot().steps["b"].state == "pending"


def test_a_step_without_an_output_is_skipped_without_one(paused):
    paused.skip("b", output=Part(part="by hand"))
    with pytest.raises(TypeError, match="returns None"):
        paused.skip("c", output=Part(part="of nothing"))
    paused.skip("c")
    assert paused.wait(timeout=60).outcome == "completed"


def test_an_output_that_this_process_cannot_validate_is_refused(paused, app, monkeypatch):
    monkeypatch.delitem(app.tasks, do_b.name)
    with pytest.raises(ActRefused, match=rf"does not know {do_b.name}.*: import the module"):
        paused.skip("b", output={"part": "by hand"})


def test_what_waits_for_its_next_attempt_can_be_tried_at_once(work, app, saga_id, monkeypatch):
    monkeypatch.setitem(app.conf, "amends_max_countdown", 0.001)  # so the wait is the log's
    work.script(f"{saga_id}:a", after_effect(amends.NotDone("later", retry_after=600.0)))
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: handle.history()[-1].name == "step.retrying")
    handle.retry()
    assert handle.wait(timeout=60).outcome == "completed"


def test_every_act_on_an_ended_saga_is_refused_with_the_reason(work, saga_id):
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    handle.wait(timeout=60)
    for act in (handle.retry, handle.pause, handle.resume, lambda: handle.skip("a")):
        with pytest.raises(ActRefused, match=f"saga '{saga_id}': it is completed"):
            act()
    assert not handle.cancel()
