"""What monitors are told of the branches of a stage: a row for each record, under the saga's."""

import threading

import pytest
from celery import signals

from amends.dispatch.custody import read_task_id
from tests.support.eventually import eventually
from tests.support.sagas.fulfilment import begin, world

pytestmark = pytest.mark.usefixtures("swept", "worker")


@pytest.fixture
def ran(saga_id):
    """Give the ids of the tasks of the saga that ran."""
    world.reset()
    ids = []

    def note(task_id, task, **_):
        if task.request.root_id == saga_id:
            ids.append(task_id)

    signals.task_prerun.connect(note)
    yield ids
    signals.task_prerun.disconnect(note)
    world.reset()


def paths(ids, saga_id):
    return {path for each in ids for id_, _, path in read_task_id(each) if id_ == saga_id}


def test_each_item_has_a_task_of_its_own_name_and_so_has_its_undo(ran, saga_id):
    world.refuses.add("bill")
    handle = begin(saga_id)
    eventually(lambda: handle.status == "compensated")
    found = paths(ran, saga_id)
    assert {"score", "authorize", "pick", "ship[1]", "ship[2]", "ship[3]", "bill"} < found
    assert {"ship[1].undo", "ship[2].undo", "ship[3].undo", "pick.undo"} < found
    assert len(set(ran)) == len(ran)  # a row each


def test_a_saga_whose_row_is_terminated_amid_a_stage_settles_and_is_undone(app, ran, saga_id):
    goes_on = world.holds["ship[1]"] = threading.Event()
    handle = begin(saga_id, parcels=4)
    eventually(lambda: "ship[1]" in world.held)
    app.control.revoke(saga_id, terminate=True)
    eventually(lambda: handle.status == "compensating")
    goes_on.set()
    eventually(lambda: handle.status == "compensated")
    assert handle.outcome == "cancelled"
    assert {"ship[1]", "ship[1]:undo"} < {*world.done}
