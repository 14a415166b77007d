"""What an explanation says of the branches of a stage that workers are at."""

import threading

import pytest

from amends.diagnosis.saga.explain import explain
from amends.dispatch.custody import read_task_id
from tests.support.eventually import eventually
from tests.support.sagas.fulfilment import begin, world

pytestmark = pytest.mark.usefixtures("swept", "worker")


@pytest.fixture
def held():
    """Hold the calls of these records until the test ends, or says `let_go`."""
    world.reset()
    goes_on = threading.Event()

    def hold(*paths):
        world.holds.update(dict.fromkeys(paths, goes_on))

    hold.let_go = goes_on.set
    yield hold
    world.reset()
    goes_on.set()


def arrived(*paths):
    eventually(lambda: world.held >= {*paths})


def test_each_branch_that_runs_is_told_with_its_worker_and_its_message(app, held, saga_id, worker):
    held("score", "pick")
    handle = begin(saga_id)
    arrived("score", "pick")
    found = explain(app, saga_id)
    (other,) = found.stage.others
    assert {found.record.path, other.record.path} == {"score", "pick"}
    for position in (found, other):
        assert position.claim.worker == worker.hostname
        (_, _, path), *_ = read_task_id(position.claim.message)
        assert path == position.record.path
    assert found.stage.at_hand == {"running": 2}
    held.let_go()
    assert handle.wait(60).outcome == "completed"


def test_items_without_a_place_wait_and_nobody_looks_for_their_messages(app, held, saga_id):
    held("ship[1]", "ship[2]")
    handle = begin(saga_id, parcels=5)
    arrived("ship[1]", "ship[2]")
    stage = explain(app, saga_id).stage
    assert (stage.at_hand, stage.waiting, stage.finished) == ({"running": 2}, 3, 0)
    held.let_go()
    assert handle.wait(60).outcome == "completed"


def test_a_saga_that_settles_has_its_undo_after_what_runs(app, held, saga_id):
    held("ship[1]")
    world.refuses.add("ship[2]")
    handle = begin(saga_id)
    arrived("ship[1]")
    eventually(lambda: handle.status == "compensating")
    found = explain(app, saga_id)
    assert found.stage.is_settling
    assert found.record.path == "ship[1]"
    assert not any("ship" in path for path in found.remaining)
    assert found.remaining[-1] == "reserve:undo"
    assert "ship[1]:undo" not in world.done
    held.let_go()
    eventually(lambda: handle.status == "compensated")
    assert world.done.index("ship[1]:undo") < world.done.index("reserve:undo")


def test_a_stuck_item_is_told_and_skipped_by_the_remedy(app, held, saga_id):
    world.refuses |= {"bill", "ship[2]:undo"}
    handle = begin(saga_id)
    eventually(lambda: handle.status == "stuck")
    found = explain(app, saga_id)
    assert [each.path for each in found.failures] == ["ship[2]:undo"]
    (skip,) = [each for each in found.remedies if each.act == "skip"]
    handle.skip(skip.step, by="test", why="by hand")
    eventually(lambda: handle.status == "compensated")
