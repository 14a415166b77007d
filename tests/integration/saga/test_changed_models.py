"""O21b: a deploy changes an activity's model while sagas stand before it."""

import pytest

from amends import NotDone, Refused, SagaStuck
from tests.support.engine_saga import (
    Job,
    do_b,
    do_b_otherwise,
    inline_saga,
    job_saga,
    undo_b,
    without_effect,
)
from tests.support.eventually import eventually
from tests.support.log_view import view_of


class StricterJob(Job):
    approved_by: str


ACTIVITIES = {"b": do_b, "b:fallback": do_b_otherwise, "b:undo": undo_b}
ENDS = {"b": "completed", "b:fallback": "completed", "b:undo": "compensated"}


@pytest.fixture
def deploy(monkeypatch):
    """Return a function that gives an activity a new required field, or takes that back."""

    def change(activity, *, is_stricter):
        first = StricterJob if is_stricter else Job
        monkeypatch.setattr(activity, "parameters", [first, *activity.parameters[1:]])

    return change


def come_to(work, record, saga_id):
    """Have a saga come to a record."""
    if record == "b:fallback":
        work.script(f"{saga_id}:b", *[without_effect(NotDone("away"))] * 3)
    if record == "b:undo":
        work.script(f"{saga_id}:c", without_effect(Refused("no")))


@pytest.fixture
def parks_at_once(app, monkeypatch):
    monkeypatch.setitem(app.conf, "amends_poison_after", 1)


@pytest.mark.usefixtures("parks_at_once")
@pytest.mark.parametrize("record", ACTIVITIES)
@pytest.mark.parametrize("saga", [job_saga, inline_saga], ids=["chain", "inline"])
def test_o21b_a_new_required_field_parks_the_saga_until_the_deploy_is_mended(
    work, log, saga_id, deploy, saga, record
):
    come_to(work, record, saga_id)
    deploy(ACTIVITIES[record], is_stricter=True)
    handle = saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(
        SagaStuck, match=f"{record} cannot read the stored input as StricterJob: approved_by: Field"
    ):
        handle.wait(timeout=60)
    assert record not in work.records(saga_id)
    deploy(ACTIVITIES[record], is_stricter=False)
    view_of(log).make_due(saga_id)
    eventually(lambda: handle.status == ENDS[record])
    assert work.records(saga_id).count(record) == 1


@pytest.mark.usefixtures("work")
def test_o21b_a_worker_of_other_code_runs_it_before_it_is_parked(saga_id, deploy):
    deploy(do_b, is_stricter=True)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: "step.retrying" in [event.name for event in handle.history()])
    assert (handle.status, handle.snapshot().steps["b"].attempts) == ("running", 0)
    deploy(do_b, is_stricter=False)
    handle.retry()
    assert handle.wait(timeout=60).outcome == "completed"
    assert handle.snapshot().steps["b"].attempts == 1
