"""Messages that the engine has not sent: nothing is done for them, and the saga goes on by its own."""

import pytest
from celery.signals import task_failure, task_postrun

from amends import Saga, Step
from amends.definition.itinerary import Itinerary
from amends.dispatch.messages import TOKEN_HEADER
from tests.support.engine_saga import Job, JobResult, do_a, do_b, do_c, job_saga, undo_a, undo_b
from tests.support.eventually import eventually
from tests.support.log_view import view_of

inline_saga = Saga(
    "inline_job",
    input=Job,
    output=JobResult,
    outputs={"part": "a.part"},
    dispatch="inline",
    steps=[
        Step(do_a, name="a", compensation=undo_a),
        Step(do_b, name="b", compensation=undo_b),
        Step(do_c, name="c", compensation=None),
    ],
)
SAGAS = pytest.mark.parametrize("saga", [job_saga, inline_saga], ids=["chain", "inline"])


@pytest.fixture(scope="module", autouse=True)
def _alias(app):
    """Lead an old name to a task, as an app may during a deploy; before the worker looks at the names."""
    app.tasks["was_called_so"] = do_c.task


@pytest.fixture
def send(app):
    """Publish a message by hand, and wait until its task ends; returns the errors that it raised."""

    def send(name, kwargs, **options):
        ended, errors = [], []

        def end(task_id, **_):
            ended.append(task_id)

        def fail(task_id, exception, **_):
            errors.append((task_id, exception))

        task_postrun.connect(end)
        task_failure.connect(fail)
        try:
            sent = app.send_task(name, kwargs=kwargs, queue="work", **options)
            eventually(lambda: sent.id in ended)
        finally:
            task_postrun.disconnect(end)
            task_failure.disconnect(fail)
        return [error for task_id, error in errors if task_id == sent.id]

    return send


@pytest.fixture
def paused(work, saga_id, monkeypatch):
    """Start a saga whose own message is lost."""

    def start(saga):
        monkeypatch.setattr(saga, "_publish", lambda *_: True)
        monkeypatch.setattr("amends.saga.definition.deliveries", lambda *_: None)
        handle = saga.start(Job(job_id=saga_id), saga_id=saga_id)
        monkeypatch.undo()
        return handle

    return start


@SAGAS
def test_a_message_for_another_activitys_record_completes_nothing(work, paused, send, saga):
    handle = paused(saga)
    assert send(do_c.name, {"saga_id": handle.id, "step": "a"}) == []
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(handle.id) == ["a", "b", "c"]
    assert [step.attempts for step in handle.snapshot().steps.values()] == [1, 1, 1]
    refused = [event for event in handle.history() if event.name == "step.retrying"]
    assert [event.record for event in refused] == ["a"]
    assert "another activity's" in refused[0].details["error"]["message"]


def test_an_old_name_that_an_app_leads_to_a_task_is_its_own(send, paused):
    renamed = Saga("renamed", input=Job, output=Job, steps=[Step(do_c, compensation=None)])
    plan = renamed.itinerary.json_text.replace(do_c.name, "was_called_so")
    renamed.itinerary = Itinerary.from_json(plan)
    handle = paused(renamed)
    send("was_called_so", {"saga_id": handle.id, "step": "do_c"})
    assert handle.status == "completed"
    assert "step.retrying" not in [event.name for event in handle.history()]


@SAGAS
@pytest.mark.parametrize("path", ["a|1:60000:i:\nb", "a|1", "\n", "", "a:undo:undo", "a" * 10_000])
def test_a_path_that_is_none_changes_nothing(paused, send, saga, path):
    handle = paused(saga)
    before = len(handle.history())
    assert send(do_a.name, {"saga_id": handle.id, "step": path}) == []
    assert (handle.status, len(handle.history())) == ("pending", before)


@pytest.mark.parametrize("name", [do_a.name, "amends.advance"])
@pytest.mark.parametrize("saga_id", [None, 5, 1.5, True, [], {}, {"a": {}}, "", "a b", "\0", "é"])
def test_an_absurd_id_ends_its_message(work, broker, send, name, saga_id):
    kwargs = {"saga_id": saga_id} | ({"step": "a"} if name == do_a.name else {})
    send(name, kwargs)
    eventually(lambda: not broker.llen("work") and not broker.hlen("unacked"))


@pytest.mark.parametrize("step", [None, 5, [], {}])
def test_an_absurd_path_ends_its_message(paused, send, step):
    handle = paused(job_saga)
    assert send(do_a.name, {"saga_id": handle.id, "step": step}) == []
    assert handle.status == "pending"


def test_retries_and_tokens_that_are_none_do_not_take_a_claim(work, log, paused, send):
    handle = paused(job_saga)
    log.claim_step(handle.id, "a", token="held", owner="", retries=0)
    kwargs = {"saga_id": handle.id, "step": "a"}
    send(do_a.name, kwargs, retries="many", headers={TOKEN_HEADER: "hel,eld"})
    assert view_of(log).client.hget(view_of(log).keys_of(handle.id)[0], "claim").split("|")[4] == (
        "held"
    )
    assert work.records(handle.id) == []


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {"saga_id": "x", "step": "a", "more": 1}),
        (({"job_id": "x"},), {"saga_id": "x", "step": "a"}),
        ((), {"saga_id": "x"}),
        (({"job_id": "x"},), {"job_id": "y"}),
    ],
)
def test_a_call_that_is_half_a_sagas_is_refused(work, send, args, kwargs):
    (error,) = send(do_a.name, kwargs, args=args)
    assert isinstance(error, TypeError)
    assert work.records("x") == []
