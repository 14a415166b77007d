"""Sagas with stages of several branches under ``task_always_eager``: they run to their end in the process that starts them."""

import pytest
from celery import Celery

from amends import NotDone, Parallel, Refused, SagaStuck
from amends.dispatch.remaining import MOST_ITEMS
from tests.support.engine_saga import Job, after_effect, engine_saga, succeed, without_effect
from tests.support.sagas.wide import DISPATCHES, each_of, lot_of, parallel_of, step, wide_of

WIDE = {dispatch: wide_of(f"eager_{dispatch}", dispatch=dispatch) for dispatch in DISPATCHES}
EACH = {
    dispatch: each_of(f"eager_each_{dispatch}", dispatch=dispatch, concurrency=2)
    for dispatch in DISPATCHES
}


@pytest.fixture(scope="module", autouse=True)
def app(redis_url):
    app = Celery("eager_stages", broker="memory://")
    app.conf.update(amends_backend=f"{redis_url}/3", task_always_eager=True)
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


def run(saga, saga_id, given=None):
    handle = saga.start(given or Job(job_id=saga_id), saga_id=saga_id)
    return handle, handle.wait(timeout=1)


def test_the_branches_take_turns(saga_id, dispatch):
    handle, result = run(WIDE[dispatch], saga_id)
    assert (handle.status, result.outcome) == ("completed", "completed")
    assert engine_saga.records(saga_id) == ["a", "b", "d", "c", "e"]


def test_a_saga_begins_with_a_stage(saga_id, dispatch):
    stages = Parallel(step("b"), step("d")), Parallel(step("c"), step("e"))
    saga = parallel_of(f"eager_first_{dispatch}", *stages, dispatch=dispatch)
    handle, result = run(saga, saga_id)
    assert (handle.status, result.outcome) == ("completed", "completed")
    assert engine_saga.records(saga_id) == ["b", "d", "c", "e"]


def test_a_saga_whose_undo_was_stuck_in_a_branch_is_retried(saga_id, dispatch):
    engine_saga.script(f"{saga_id}:e", without_effect(Refused("no")))
    engine_saga.script(f"{saga_id}:c:undo", *[without_effect(ValueError("no"))] * 3)
    with pytest.raises(SagaStuck):
        run(WIDE[dispatch], saga_id)
    handle = WIDE[dispatch].get(saga_id)
    handle.retry()
    assert handle.status == "compensated"


def test_a_saga_that_pauses_in_a_stage_is_resumed(saga_id, dispatch):
    handles = []

    def pause(key):
        succeed(key)
        handles.append(WIDE[dispatch].get(saga_id))
        handles[0].pause()

    engine_saga.script(f"{saga_id}:b", pause)
    WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
    assert handles[0].status == "running"
    handles[0].resume()
    assert handles[0].status == "completed"
    assert sorted(engine_saga.records(saga_id)) == ["a", "b", "c", "d", "e"]


def test_a_branch_tries_again(saga_id, dispatch):
    engine_saga.script(f"{saga_id}:b", without_effect(NotDone("away")))
    _, result = run(WIDE[dispatch], saga_id)
    assert result.outcome == "completed"
    assert engine_saga.records(saga_id).count("b") == 2


def test_a_branch_falls_back_after_a_void(saga_id, dispatch):
    engine_saga.script(f"{saga_id}:d", *[after_effect(OSError("lost"))] * 3)
    _, result = run(WIDE[dispatch], saga_id)
    assert result.d == "acted otherwise"
    assert engine_saga.records(saga_id)[-3:] == ["d:undo", "d:fallback", "e"]


def test_a_refusal_in_a_branch_undoes_what_was_done(saga_id, dispatch):
    engine_saga.script(f"{saga_id}:d", without_effect(Refused("no")))
    handle, result = run(WIDE[dispatch], saga_id)
    assert (handle.status, result.outcome) == ("compensated", "no_d")
    assert engine_saga.records(saga_id) == ["a", "b", "d", "b:undo", "a:undo"]


def test_an_undo_that_fails_for_good_stops_no_other_branch(saga_id, dispatch):
    engine_saga.script(f"{saga_id}:e", without_effect(Refused("no")))
    engine_saga.script(f"{saga_id}:c:undo", *[without_effect(ValueError("no"))] * 3)
    with pytest.raises(SagaStuck, match="c:undo failed for good"):
        run(WIDE[dispatch], saga_id)
    assert {"d:undo", "b:undo", "a:undo"} <= set(engine_saga.records(saga_id))


@pytest.mark.parametrize("many", [0, 1, 7])
def test_each_item_is_done_in_order(saga_id, dispatch, many):
    _, result = run(EACH[dispatch], saga_id, lot_of(saga_id, many))
    assert [each.part for each in result.ship] == [f"item {n}" for n in range(1, many + 1)]
    assert engine_saga.records(saga_id)[1:-1] == [f"ship[{n}]" for n in range(1, many + 1)]


def test_an_item_that_is_refused_undoes_those_before(saga_id, dispatch):
    engine_saga.script(f"{saga_id}:ship[3]", without_effect(Refused("no")))
    handle, result = run(EACH[dispatch], saga_id, lot_of(saga_id, 5))
    assert (handle.status, result.outcome) == ("compensated", "no_ship")
    records = engine_saga.records(saga_id)
    assert "ship[4]" not in records
    assert sorted(records[4:]) == ["a:undo", "ship[1]:undo", "ship[2]:undo"]
    assert records[-1] == "a:undo"


def test_too_many_items_are_refused(saga_id, dispatch):
    handle, result = run(EACH[dispatch], saga_id, lot_of(saga_id, MOST_ITEMS + 1))
    assert (handle.status, result.outcome) == ("compensated", "no_ship")
    assert "1001 items" in result.error
