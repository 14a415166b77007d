"""Rows C of the list of anomalies: what can go wrong with undoing, and with two channels."""

import pytest

from amends import DefinitionError, NotDone, Refused, Saga, SagaStuck, Step
from tests.support.engine_saga import (
    Job,
    JobResult,
    after_effect,
    do_a,
    do_b,
    do_b_otherwise,
    job_saga,
    without_effect,
)

CUT = OSError("cut")


def run(saga_id):
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    return handle, handle.wait(timeout=60)


def step_states(handle):
    return {name: step.state.value for name, step in handle.snapshot().steps.items()}


def in_force(work, saga_id):
    return {key for key in work.world.in_force if key.startswith(saga_id)}


def test_c1_an_undo_that_fails_for_good_lets_the_others_run_and_the_saga_is_stuck(work, saga_id):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    work.script(f"{saga_id}:b:undo", *[without_effect(CUT)] * 3)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(SagaStuck, match="b:undo failed for good"):
        handle.wait(timeout=60)
    assert work.records(saga_id) == ["a", "b", "c", "b:undo", "b:undo", "b:undo", "a:undo"]
    assert in_force(work, saga_id) == {f"{saga_id}:b"}
    assert handle.snapshot().reason == "b:undo failed for good"


def test_c1_an_undo_is_tried_again_by_its_own_policy(work, saga_id):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    work.script(f"{saga_id}:b:undo", without_effect(CUT), after_effect(CUT))
    handle, _ = run(saga_id)
    assert handle.status == "compensated"
    assert handle.snapshot().steps["b"].channels["primary"].undo_attempts == 3
    assert work.world.undone[f"{saga_id}:b"] == 1


def test_c2_undos_begin_in_reverse_order_of_start(work, saga_id):
    work.script(f"{saga_id}:c", after_effect(Refused("no")))
    handle, result = run(saga_id)
    assert result.outcome == "no_c"
    begun = [event.record for event in handle.history() if event.name == "step.compensating"]
    started = [event.record for event in handle.history() if event.name == "step.started"]
    assert begun == ["b:undo", "a:undo"]
    assert started == ["a", "b", "c"]


def test_c3_a_step_without_a_word_on_its_undo_is_refused_at_definition():
    with pytest.raises(DefinitionError, match="step 'do_a': say compensation="):
        Saga("word", input=Job, output=JobResult, steps=[Step(do_a)])
    with pytest.raises(
        DefinitionError, match="step 'do_b': a step with a fallback needs a compensation"
    ):
        Step(do_b, compensation=None, fallback=do_b_otherwise)


def test_c4_an_undo_gets_the_input_the_forward_key_and_no_output_where_there_was_none(
    work, saga_id
):
    work.script(f"{saga_id}:a", *[after_effect(CUT)] * 3)
    run(saga_id)
    undo = [call for call in work.calls if call.context.saga_id == saga_id][-1]
    assert (undo.record, undo.request.job_id, undo.output) == ("a:undo", saga_id, None)
    assert undo.context.undoes.idempotency_key == f"{saga_id}:a"
    assert undo.context.undoes.activity == do_a.name


def test_c4_an_undo_gets_the_output_where_there_was_one(work, saga_id):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    run(saga_id)
    undo = [call for call in work.calls if call.context.saga_id == saga_id][-1]
    assert (undo.record, undo.output.part) == ("a:undo", "a")


def test_c5_a_partial_undo_is_not_reported_as_a_whole_one(work, saga_id):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    work.script(f"{saga_id}:a:undo", *[without_effect(CUT)] * 3)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(SagaStuck):
        handle.wait(timeout=60)
    assert handle.status == "stuck"
    assert step_states(handle) == {"a": "stuck", "b": "compensated", "c": "failed"}


def test_c10_the_fallback_starts_at_once_where_the_primary_is_certainly_not_done(work, saga_id):
    work.script(f"{saga_id}:b", *[without_effect(NotDone("away"))] * 3)
    handle, result = run(saga_id)
    assert (result.outcome, result.part) == ("completed", "b otherwise")
    assert work.records(saga_id) == ["a", "b", "b", "b", "b:fallback", "c"]
    assert handle.snapshot().steps["b"].channel == "fallback"


def test_c10_a_primary_that_nobody_knows_of_is_voided_before_the_fallback_starts(work, saga_id):
    work.script(f"{saga_id}:b", after_effect(CUT), *[without_effect(NotDone("away"))] * 2)
    _, result = run(saga_id)
    assert (result.outcome, result.part) == ("completed", "b otherwise")
    assert work.records(saga_id) == ["a", "b", "b", "b", "b:undo", "b:fallback", "c"]
    assert in_force(work, saga_id) == {f"{saga_id}:a", f"{saga_id}:b:fallback", f"{saga_id}:c"}


def test_c10_without_the_void_there_is_no_fallback_and_the_saga_is_stuck(work, saga_id):
    work.script(f"{saga_id}:b", *[after_effect(CUT)] * 3)
    work.script(f"{saga_id}:b:undo", *[without_effect(CUT)] * 3)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(SagaStuck, match="b:undo failed for good"):
        handle.wait(timeout=60)
    assert "b:fallback" not in work.records(saga_id)
    assert work.records(saga_id)[-1] == "a:undo"
    assert handle.outcome == "no_b"


def test_c10_a_refusal_is_an_answer_and_does_not_go_to_the_fallback(work, saga_id):
    work.script(f"{saga_id}:b", without_effect(Refused("no money")))
    _, result = run(saga_id)
    assert (result.outcome, result.error) == ("no_b", "Refused: no money")
    assert work.records(saga_id) == ["a", "b", "a:undo"]


def test_c11_each_channel_is_undone_by_its_own_key(work, saga_id):
    work.script(f"{saga_id}:b", *[after_effect(CUT)] * 3)
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    handle, _ = run(saga_id)
    undone = {
        call.record: call.context.undoes
        for call in work.calls
        if call.context.saga_id == saga_id and call.context.undone
    }
    assert undone["b:undo"].idempotency_key == f"{saga_id}:b"
    assert undone["b:fallback:undo"].idempotency_key == f"{saga_id}:b:fallback"
    assert undone["b:fallback:undo"].activity == do_b_otherwise.name
    assert work.records(saga_id)[-3:] == ["c", "b:fallback:undo", "a:undo"]
    assert in_force(work, saga_id) == set()
    assert step_states(handle)["b"] == "compensated"


def test_c11_a_fallback_that_nobody_knows_of_is_undone_beside_the_voided_primary(work, saga_id):
    work.script(f"{saga_id}:b", *[after_effect(CUT)] * 3)
    work.script(f"{saga_id}:b:fallback", *[after_effect(CUT)] * 3)
    handle, result = run(saga_id)
    assert (handle.status, result.outcome) == ("compensated", "no_b")
    assert in_force(work, saga_id) == set()
    assert work.world.undone == work.world.undone | {f"{saga_id}:b": 1, f"{saga_id}:b:fallback": 1}
