"""Which error is tried again, how often and how soon."""

import time
from types import SimpleNamespace

import pytest

from amends import NotDone, Refused, RetryPolicy, Saga, Step
from amends.activities import attempt
from tests.support.engine_saga import (
    Job,
    JobResult,
    do_a,
    do_b,
    do_c,
    job_saga,
    undo_a,
    without_effect,
)


def run(saga_id):
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    handle.wait(timeout=60)
    return handle


def waits(handle):
    return [event.details["wait"] for event in handle.history() if event.name == "step.retrying"]


def test_s10_the_waits_are_exactly_the_policy_s(work, saga_id):
    work.script(f"{saga_id}:a", *[without_effect(NotDone("away"))] * 2)
    handle = run(saga_id)
    assert waits(handle) == [10, 20]


def test_no_attempt_begins_before_its_wait_is_over(work, saga_id):
    work.script(f"{saga_id}:a", without_effect(NotDone("away", retry_after=0.5)))
    handle = run(saga_id)
    began = [event.at for event in handle.history() if event.name == "step.started"]
    retried = next(event.at for event in handle.history() if event.name == "step.retrying")
    assert waits(handle) == [500]
    assert began[1] - retried >= 0.45


def test_max_attempts_counts_attempts(work, saga_id):
    work.script(f"{saga_id}:c", *[without_effect(NotDone("away"))] * 5)
    handle = run(saga_id)
    assert work.records(saga_id).count("c") == 3
    assert handle.snapshot().steps["c"].attempts == 3


@pytest.mark.parametrize(
    ("error", "state"),
    [(NotDone("away"), "failed"), (OSError("cut"), "unknown"), (ValueError(), "unknown")],
)
def test_a_step_that_runs_out_of_attempts_is_what_its_errors_say(work, saga_id, error, state):
    work.script(f"{saga_id}:c", *[without_effect(error)] * 3)
    assert run(saga_id).snapshot().steps["c"].state == state


def test_s10_a_refusal_is_not_tried_again(work, saga_id):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    handle = run(saga_id)
    assert work.records(saga_id).count("c") == 1
    assert handle.snapshot().steps["c"].state == "failed"


def test_a_non_retryable_error_ends_the_attempts_and_leaves_the_effect_unknown(
    work, saga_id, monkeypatch
):
    monkeypatch.setattr(do_c, "retry", RetryPolicy(non_retryable=(KeyError,)))
    work.script(f"{saga_id}:c", without_effect(KeyError("odd")))
    handle = run(saga_id)
    assert work.records(saga_id).count("c") == 1
    assert handle.snapshot().steps["c"].state == "unknown"


def test_the_numbers_are_those_that_the_saga_was_started_with(work, saga_id, monkeypatch):
    monkeypatch.setattr(do_a, "retry", RetryPolicy(max_attempts=1))
    work.script(f"{saga_id}:a", *[without_effect(NotDone("away"))] * 2)
    assert run(saga_id).outcome == "completed"


hurried = Saga(
    "hurried",
    input=Job,
    output=JobResult,
    outputs={"part": "b.part"},
    timeout=30.0,
    steps=[
        Step(do_a, name="a", compensation=undo_a, outcome="no_a"),
        Step(do_b, name="b", compensation=None),
    ],
)


def test_a_wait_that_would_pass_the_saga_s_deadline_fails_now(work, saga_id):
    work.script(f"{saga_id}:a", without_effect(NotDone("away", retry_after=60.0)))
    handle = hurried.start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome == "no_a"
    assert work.records(saga_id) == ["a"]


def test_the_time_that_the_attempt_took_is_no_time_left_to_wait(work, saga_id, monkeypatch):
    took = 0.0

    def take_long(_):
        nonlocal took
        took = 15.0
        raise NotDone("away", retry_after=20.0)

    flying = SimpleNamespace(monotonic=lambda: time.monotonic() + took, time=time.time)
    monkeypatch.setattr(attempt, "time", flying)
    work.script(f"{saga_id}:a", take_long)
    handle = hurried.start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome == "no_a"
    assert work.records(saga_id) == ["a"]
