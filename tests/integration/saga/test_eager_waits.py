"""Sagas that wait under ``task_always_eager``: they sleep for a delay, stop at a wait, and go on by its signal."""

import pytest
from celery import Celery

from amends import Delay, Parallel, Signalled
from tests.support.engine_saga import engine_saga, succeed
from tests.support.sagas.shapes import Approval, Order, approval, shape_of, step
from tests.support.sagas.wide import DISPATCHES


def each_way(name, *stages):
    return {each: shape_of(f"{name}_{each}", *stages, dispatch=each) for each in DISPATCHES}


ASKED = each_way("eager_asked", step("a"), approval(timeout=60.0), step("b"))
FIRST = each_way("eager_asked_first", approval(), step("b"))
DELAYED = each_way("eager_delayed", step("a"), Delay(0.2), step("b"))
DELAYED_FIRST = each_way("eager_delayed_first", Delay(0.2), step("b"))
BESIDE = each_way(
    "eager_beside",
    Parallel([step("a"), Delay(0.2), step("b")], [step("c"), approval(), step("d")], step("e")),
)


@pytest.fixture(scope="module", autouse=True)
def app(redis_url):
    app = Celery("eager_waits", broker="memory://")
    app.conf.update(amends_backend=f"{redis_url}/3", task_always_eager=True)
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


def begin(saga, saga_id):
    return saga.start(Order(job_id=saga_id), saga_id=saga_id)


@pytest.mark.parametrize("saga", [ASKED, FIRST], ids=["in_between", "first"])
def test_it_stops_at_a_wait_and_goes_on_by_its_signal(saga, saga_id, dispatch):
    handle = begin(saga[dispatch], saga_id)
    assert handle.snapshot().steps["approval"].state == "waiting"
    assert "b" not in engine_saga.records(saga_id)
    assert handle.signal("approval", Approval()) is Signalled.TAKEN
    assert handle.status == "completed"
    assert engine_saga.records(saga_id)[-1] == "b"


@pytest.mark.parametrize("saga", [DELAYED, DELAYED_FIRST], ids=["in_between", "first"])
def test_it_sleeps_for_a_delay(saga, saga_id, dispatch):
    handle = begin(saga[dispatch], saga_id)
    assert handle.status == "completed"
    at = {(event.name, event.record): event.at for event in handle.history()}
    assert at["step.started", "b"] - at["step.waiting", "delay"] >= 0.2


def test_a_signal_from_an_activity_is_kept(saga_id, dispatch):
    def signal(key):
        succeed(key)
        assert ASKED[dispatch].get(saga_id).signal("approval", Approval()) == "kept"

    engine_saga.script(f"{saga_id}:a", signal)
    assert begin(ASKED[dispatch], saga_id).status == "completed"


def test_branches_go_on_while_others_wait(saga_id, dispatch):
    handle = begin(BESIDE[dispatch], saga_id)
    assert handle.status == "running"
    assert sorted(engine_saga.records(saga_id)) == ["a", "b", "c", "e"]
    handle.signal("approval", Approval())
    assert handle.status == "completed"
    assert engine_saga.records(saga_id)[-1] == "d"


def test_a_cancel_ends_the_wait(saga_id, dispatch):
    handle = begin(ASKED[dispatch], saga_id)
    handle.cancel()
    assert (handle.status, engine_saga.records(saga_id)) == ("compensated", ["a", "a:undo"])
