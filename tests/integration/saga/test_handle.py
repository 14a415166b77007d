"""What a handle tells while a saga runs, and after."""

import threading

import pytest
from celery import shared_task

import amends
from amends import NotDone, Refused, UnknownSaga
from tests.support.engine_saga import Job, JobResult, job_saga, without_effect
from tests.support.eventually import eventually

seen = {}


@shared_task(name="test_handle.wait_inside")
def wait_inside(saga_id):
    try:
        job_saga.get(saga_id).wait(timeout=60)
    except RuntimeError as error:
        seen[saga_id] = str(error)


@pytest.fixture
def held(work, saga_id):
    """Give a saga whose first step is running, and the event that lets it go on."""
    arrived, goes_on = threading.Event(), threading.Event()

    def hold(key):
        arrived.set()
        assert goes_on.wait(60)

    work.script(f"{saga_id}:a", hold)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert arrived.wait(60)
    yield handle, goes_on
    goes_on.set()


def test_a_running_saga_shows_which_step_runs_and_has_no_outcome_yet(held):
    handle, goes_on = held
    snapshot = handle.snapshot()
    assert (snapshot.status, snapshot.outcome, handle.outcome) == ("running", None, None)
    assert [step.state for step in snapshot.steps.values()] == ["running", "pending", "pending"]
    goes_on.set()
    assert handle.wait(timeout=60).outcome == "completed"


def test_wait_gives_up_after_its_timeout_and_the_saga_goes_on(held):
    handle, goes_on = held
    with pytest.raises(TimeoutError, match=r"is running after 0\.1 s"):
        handle.wait(timeout=0.1)
    goes_on.set()
    assert handle.wait(timeout=60).outcome == "completed"


def test_o23_wait_inside_a_task_is_refused_at_once(work, saga_id):
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    wait_inside.delay(saga_id)
    eventually(lambda: saga_id in seen)
    assert "inside a Celery task" in seen[saga_id]


def test_the_output_has_the_input_s_fields_the_steps_outputs_and_the_outcome(work, saga_id):
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    expected = JobResult(job_id=saga_id, outcome="completed", part="b", error=None)
    assert handle.wait(timeout=60) == expected
    assert handle.wait(timeout=60) == expected


def test_a_handle_without_its_definition_gives_the_output_as_a_dict(work, saga_id):
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert amends.get(saga_id).wait(timeout=60) == {
        "job_id": saga_id,
        "outcome": "completed",
        "part": "b",
        "error": None,
    }


def test_an_unknown_saga_has_no_handle(app):
    with pytest.raises(UnknownSaga, match="there is no saga 'unheard-of' in the log"):
        job_saga.get("unheard-of")


def test_the_history_has_every_event_in_order(work, saga_id):
    work.script(f"{saga_id}:b", without_effect(NotDone("away")))
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    handle.wait(timeout=60)
    assert [(event.name, event.record) for event in handle.history()] == [
        ("saga.started", None),
        ("step.started", "a"),
        ("step.completed", "a"),
        ("step.started", "b"),
        ("step.retrying", "b"),
        ("step.started", "b"),
        ("step.completed", "b"),
        ("step.started", "c"),
        ("step.failed", "c"),
        ("saga.compensating", None),
        ("step.compensating", "b:undo"),
        ("step.compensated", "b:undo"),
        ("step.compensating", "a:undo"),
        ("step.compensated", "a:undo"),
        ("saga.finished", None),
    ]
    times = [event.at for event in handle.history()]
    assert times == sorted(times)
