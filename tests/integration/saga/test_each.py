"""Sagas with a step for each item of a list, on real workers."""

import threading

import pytest
from celery import signals

from amends import NotDone, Refused
from amends.dispatch import coordinator
from amends.dispatch.remaining import MOST_ITEMS
from tests.support.engine_saga import after_effect, succeed, without_effect
from tests.support.eventually import eventually
from tests.support.sagas.wide import (
    DISPATCHES,
    each_of,
    let_branches_wait,
    lot_of,
    pack_otherwise,
)

pytestmark = pytest.mark.usefixtures("swept")

EACH = {dispatch: each_of(f"each_{dispatch}", dispatch=dispatch) for dispatch in DISPATCHES}
FEW = {
    dispatch: each_of(f"few_{dispatch}", dispatch=dispatch, concurrency=10)
    for dispatch in DISPATCHES
}
ONE = {
    dispatch: each_of(f"one_{dispatch}", dispatch=dispatch, concurrency=1)
    for dispatch in DISPATCHES
}


@pytest.fixture(scope="module")
def app(each_app):
    return each_app


def run(saga, saga_id, many, timeout=60):
    handle = saga.start(lot_of(saga_id, many), saga_id=saga_id)
    return handle, handle.wait(timeout=timeout)


def paths(many, suffix=""):
    return [f"ship[{n}]{suffix}" for n in range(1, many + 1)]


def test_the_outputs_are_in_the_order_of_the_items(work, saga_id, dispatch):
    second = threading.Event()

    def wait_for_second(key):
        assert second.wait(60)
        succeed(key)

    def be_second(key):
        succeed(key)
        second.set()

    work.script(f"{saga_id}:ship[1]", wait_for_second)
    work.script(f"{saga_id}:ship[3]", be_second)
    handle, result = run(EACH[dispatch], saga_id, 3)
    assert (handle.status, result.outcome) == ("completed", "completed")
    assert [each.part for each in result.ship] == ["item 1", "item 2", "item 3"]
    records = work.records(saga_id)
    assert (records[0], sorted(records[1:-1]), records[-1]) == ("a", paths(3), "count")


def test_an_empty_list_is_done_at_once(work, saga_id, dispatch):
    handle, result = run(EACH[dispatch], saga_id, 0)
    assert (handle.status, result.ship) == ("completed", [])
    assert work.records(saga_id) == ["a", "count"]


def test_a_list_that_is_too_long_is_refused(work, saga_id, dispatch):
    handle, result = run(EACH[dispatch], saga_id, MOST_ITEMS + 1)
    assert (handle.status, result.outcome) == ("compensated", "no_ship")
    assert result.error == "Refused: input.items has 1001 items, and 1000 are possible"
    assert work.records(saga_id) == ["a", "a:undo"]


def test_so_many_items_are_at_work_at_once_and_no_more(work, saga_id, dispatch, log):
    lock, at_work, most = threading.Lock(), [], []

    def work_on(key):
        with lock:
            at_work.append(key)
            most.append(len(at_work))
        succeed(key)
        with lock:
            at_work.remove(key)

    for path in paths(300):
        work.script(f"{saga_id}:{path}", work_on)
    handle, result = run(FEW[dispatch], saga_id, 300, timeout=240)
    assert (handle.status, len(result.ship)) == ("completed", 300)
    assert max(most) <= 10
    # ten are opened at once, and each that is done opens the next
    assert sorted(work.records(saga_id)[1:-1]) == sorted(paths(300))


def test_with_one_at_a_time_they_run_in_order(work, saga_id, dispatch):
    run(ONE[dispatch], saga_id, 5)
    assert work.records(saga_id) == ["a", *paths(5), "count"]


def test_an_item_that_is_refused_undoes_those_that_were_done(work, saga_id, dispatch):
    others = threading.Barrier(3)

    def meet(key):
        succeed(key)
        others.wait(60)

    def refuse(_):
        others.wait(60)
        eventually(lambda: len([k for k in work.world.order if k.startswith(saga_id)]) == 3)
        raise Refused("no")

    work.script(f"{saga_id}:ship[1]", meet)
    work.script(f"{saga_id}:ship[3]", meet)
    work.script(f"{saga_id}:ship[2]", refuse)
    handle, result = run(EACH[dispatch], saga_id, 3)
    assert (handle.status, result.outcome) == ("compensated", "no_ship")
    undone = [each for each in work.records(saga_id) if each.endswith("undo")]
    assert sorted(undone) == ["a:undo", "ship[1]:undo", "ship[3]:undo"]
    assert undone[-1] == "a:undo"


def test_an_item_tries_again(work, saga_id, dispatch):
    work.script(f"{saga_id}:ship[2]", *[without_effect(NotDone("away"))] * 2)
    _, result = run(EACH[dispatch], saga_id, 3)
    assert result.outcome == "completed"
    assert work.records(saga_id).count("ship[2]") == 3


def test_an_item_falls_back_after_a_void_and_its_undos_are_one_chain(work, saga_id, dispatch, log):
    saga = each_of(f"fallen_{dispatch}", dispatch=dispatch, fallback=pack_otherwise)
    work.script(f"{saga_id}:ship[2]", *[after_effect(OSError("lost"))] * 3)
    work.script(f"{saga_id}:count", *[without_effect(ValueError("no"))] * 3)
    handle, _ = run(saga, saga_id, 3)
    assert handle.status == "compensated"
    of_second = [each for each in work.records(saga_id) if "[2]" in each]
    assert of_second == [
        *["ship[2]"] * 3,
        "ship[2]:undo",
        "ship[2]:fallback",
        "ship[2]:fallback:undo",
    ]
    assert not {key for key in work.world.in_force if key.startswith(saga_id)}


def test_the_messages_of_lost_items_are_published_again(work, log, saga_id, dispatch, monkeypatch):
    inner = coordinator.publish_branches

    def lose_most(app, of, chains):
        monkeypatch.setattr(coordinator, "publish_branches", inner)
        inner(app, of, chains[:5])

    handle = EACH[dispatch]
    monkeypatch.setattr(coordinator, "publish_branches", lose_most)
    handle = EACH[dispatch].start(lot_of(saga_id, 40), saga_id=saga_id)
    begun = 7 if dispatch == "inline" else 6  # inline the worker goes on with one beside them
    ended = lambda: sum(event.name == "step.completed" for event in handle.history())  # noqa: E731
    eventually(lambda: ended() == begun)
    lost = [n for n in range(1, 41) if f"ship[{n}]" not in work.records(saga_id)]
    let_branches_wait(log, saga_id, [f"p2.{n}" for n in lost])
    assert handle.wait(timeout=60).outcome == "completed"
    assert sorted(work.records(saga_id)[1:-1]) == sorted(paths(40))


def test_a_cancel_undoes_the_items_that_were_done_and_begins_no_other(work, saga_id, dispatch):
    begun, go_on = threading.Event(), threading.Event()

    def hold(key):
        begun.set()
        assert go_on.wait(60)
        succeed(key)

    work.script(f"{saga_id}:ship[2]", hold)
    handle = ONE[dispatch].start(lot_of(saga_id, 5), saga_id=saga_id)
    assert begun.wait(60)
    handle.cancel()
    go_on.set()
    assert handle.wait(timeout=60).outcome == "cancelled"
    records = work.records(saga_id)
    assert records[:3] == ["a", "ship[1]", "ship[2]"]
    assert records[3:] == ["ship[2]:undo", "ship[1]:undo", "a:undo"]


def test_a_pause_between_items_holds_the_rest(work, saga_id, dispatch):
    begun, go_on = threading.Event(), threading.Event()

    def hold(key):
        begun.set()
        assert go_on.wait(60)
        succeed(key)

    work.script(f"{saga_id}:ship[2]", hold)
    handle = ONE[dispatch].start(lot_of(saga_id, 5), saga_id=saga_id)
    assert begun.wait(60)
    handle.pause()
    go_on.set()
    eventually(lambda: work.world.made[f"{saga_id}:ship[2]"])
    eventually(
        lambda: ("step.completed", "ship[2]") in [(e.name, e.record) for e in handle.history()]
    )
    assert work.records(saga_id) == ["a", "ship[1]", "ship[2]"]
    handle.resume()
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", *paths(5), "count"]


def test_one_worker_goes_on_from_item_to_item_where_it_runs_inline(
    work, saga_id, dispatch, published
):
    run(ONE[dispatch], saga_id, 5)
    ids = published(saga_id)
    assert len(ids) == (1 if dispatch == "inline" else 7)


def test_a_message_lasts_as_long_as_what_it_may_go_on_with(work, saga_id, dispatch):
    limits = {}

    def note(headers, **_):
        limits[headers["id"]] = headers["timelimit"]

    signals.before_task_publish.connect(note, weak=False)
    try:
        run(ONE[dispatch], saga_id, 2)
    finally:
        signals.before_task_publish.disconnect(note)
    # Its own step's 60 s, and inline what may begin in 30 s; 10 s later it is killed.
    assert limits[f"{saga_id}.1.a"] == ([100.0, 90.0] if dispatch == "inline" else [70.0, 60.0])
