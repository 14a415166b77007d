"""What a newer release of amends wrote into the log, met by workers of this one."""

import json

import pytest

from amends import UnreadableData
from amends.definition.itinerary import FORMAT
from amends.definition.script_plan import script_plan
from amends.log.queries.summary import SagaSummaries
from amends.log.store import Store
from tests.support.engine_saga import Job, job_saga
from tests.support.eventually import eventually
from tests.support.log_view import view_of
from tests.support.sagas.fulfilment import fulfilment_saga


@pytest.fixture
def write_plan(log):
    """Return a function that has a saga's plan written by a newer release, with these fields more."""

    def write(saga_id, *, of_step=None, **fields):
        log.starts.start_saga(saga_id, job_saga.itinerary, json.dumps({"job_id": saga_id}))
        view = view_of(log)
        saga, _, _, definitions, *_ = view.keys_of(saga_id)
        plan = json.loads(job_saga.itinerary.json_text) | fields
        plan["stages"][0][0] |= of_step or {}
        digest = f"newer-{saga_id}"
        records = {digest: json.dumps(plan), f"{digest}:records": script_plan(job_saga.itinerary)}
        view.client.hset(definitions, mapping=records)
        view.client.hset(saga, "definition", digest)
        return job_saga.get(saga_id)

    return write


def test_a_field_that_this_release_does_not_know_is_ignored(work, log, saga_id, write_plan):
    handle = write_plan(saga_id, pivot="b", of_step={"pivot": True})
    work.let_wait(log, saga_id)
    assert handle.wait(timeout=60).outcome == "completed"


def test_scripts_of_the_release_before_do_not_find_a_plan_that_they_would_misread(log):
    view, found = view_of(log), {}
    for saga in (job_saga, fulfilment_saga):
        log.starts.start_saga(f"plan-of-{saga.name}", saga.itinerary, "{}")
        _, _, _, definitions, *_ = view.keys_of(f"plan-of-{saga.name}")
        found[saga.name] = view.client.hget(definitions, f"{saga.itinerary.digest}:records")
    assert found == {"job": script_plan(job_saga.itinerary), "fulfilment": None}


def test_a_plan_that_this_release_must_not_run_is_left_alone_and_the_saga_beside_it_is_healed(
    work, log, saga_id, write_plan
):
    write_plan(saga_id, requires=FORMAT + 1)
    other = job_saga.start(Job(job_id=f"other-{saga_id}"), saga_id=f"other-{saga_id}")
    for each in (saga_id, other.id):
        work.let_wait(log, each)
    found = log.maintenance.look_at_sagas([saga_id, other.id], longest_wait=300.0)
    assert isinstance(found[0], UnreadableData)
    assert "a newer release of amends wrote the saga's plan" in str(found[0])
    assert other.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == []


def test_a_message_of_such_a_saga_spends_no_attempt_and_parks_it_in_the_end(
    work, app, log, saga_id, write_plan, monkeypatch
):
    monkeypatch.setitem(app.conf, "amends_poison_after", 1)
    handle = write_plan(saga_id, requires=FORMAT + 1)
    task = job_saga.itinerary.records["a"].call.task
    app.signature(task, kwargs={"saga_id": saga_id, "step": "a"}, immutable=True).apply_async()
    eventually(lambda: handle.status == "stuck")
    view = view_of(log)
    assert "newer release" in view.client.hget(view.saga_key(saga_id), "reason")
    assert view.client.hget(view.saga_key(saga_id), "1.a") is None
    with pytest.raises(UnreadableData, match="upgrade amends here"):
        handle.snapshot()
    view.client.hset(view.saga_key(saga_id), "definition", job_saga.itinerary.digest)
    view.make_due(saga_id)
    eventually(lambda: handle.status == "completed")


def test_a_record_that_cannot_be_read_hides_no_other_saga_in_a_list(log, saga_id, warnings):
    for each in (saga_id, f"other-{saga_id}"):
        log.starts.start_saga(each, job_saga.itinerary, '{"job_id":"x"}')
    view = view_of(log)
    view.client.hset(view.saga_key(saga_id), "definition", "gone")
    found = SagaSummaries(Store(view.client, shards=64)).summarize_sagas(
        [saga_id, f"other-{saga_id}"]
    )
    assert [each and each.id for each in found] == [None, f"other-{saga_id}"]
    assert f"saga {saga_id} cannot be read, and is not listed" in warnings.text
    view.client.delete(view.saga_key(saga_id))


def test_a_state_that_this_release_does_not_know_is_said(log, saga_id):
    log.starts.start_saga(saga_id, job_saga.itinerary, '{"job_id":"x"}')
    view_of(log).client.hset(view_of(log).saga_key(saga_id), "states", "1=frozen")
    with pytest.raises(
        UnreadableData, match="wrote the state 'frozen' of a record: upgrade amends"
    ):
        job_saga.get(saga_id).snapshot()
    view_of(log).client.delete(view_of(log).saga_key(saga_id))


def test_an_event_of_another_shape_hides_no_other_event(log, saga_id):
    log.starts.start_saga(saga_id, job_saga.itinerary, '{"job_id":"x"}')
    view_of(log).client.rpush(
        view_of(log).history_key(saga_id), '{"name":"step.frozen","of":1}', '{"of":2}'
    )
    events = [(each.name, each.at) for each in job_saga.get(saga_id).history()]
    assert events[1:] == [("step.frozen", 0.0), ("unknown", 0.0)]
