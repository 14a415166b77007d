"""Sagas that are steps of others, on real workers: chain and inline, on each broker."""

import threading

import pytest
from celery import current_app
from pydantic import BaseModel

import amends
from amends import (
    ActRefused,
    Child,
    DefinitionError,
    Each,
    Refused,
    Saga,
    SagaAlreadyStarted,
    Step,
)
from amends.dispatch import children, coordinator
from amends.dispatch.messages import send_advance
from amends.log.in_flight import Ended
from amends.log.queries.acts import ActQuery, find_acts
from tests.support.engine_saga import Job, succeed, without_effect
from tests.support.eventually import eventually
from tests.support.log_view import view_of
from tests.support.sagas.shapes import Approval, Order, approval, items_of, shape_of, step
from tests.support.sagas.wide import DISPATCHES, act, revert

pytestmark = pytest.mark.usefixtures("swept")


class Invoice(BaseModel):
    number: str | None = None


def invoice_of(name, *stages, **how):
    """Define a saga that others have as a step."""
    stages = stages or (Step(act, name="bill", compensation=revert),)
    outputs = {"number": "bill.part"}
    return Saga(name, input=Job, output=Invoice, steps=stages, outputs=outputs, **how)


def records_of(work, saga_id):
    """Tell which records of a saga and its children were called, in order."""
    ids = (saga_id, f"{saga_id}.invoice")
    return [call.record for call in work.calls if call.context.saga_id in ids]


def each_way(name, *stages, child=(), **how):
    """Define a saga with a child for each way to reach the next step."""
    found = {}
    for each in DISPATCHES:
        saga = invoice_of(f"{name}_invoice_{each}", *child, dispatch=each)
        own = [Child(saga, name="invoice", inputs={"job_id": "input.job_id"}, outcome="no_invoice")]
        row = [own[0] if stage is HERE else stage for stage in stages]
        found[each] = shape_of(f"{name}_{each}", *row, dispatch=each, **how)
    return found


HERE = object()
BILLED = each_way("billed", step("a"), HERE, step("b"))
FIRST = each_way("billed_first", HERE, step("b"))
LAST = each_way("billed_last", step("a"), HERE)
ASKING = each_way(
    "asking",
    step("a"),
    HERE,
    step("b"),
    child=(approval(), Step(act, name="bill", compensation=revert)),
)


ASKED_LATER = each_way("asked_later", step("a"), HERE, approval(), step("b"))
FINAL = invoice_of("final", Step(act, name="bill", compensation=None, pivot=True))


@pytest.fixture(scope="module")
def app(each_app):
    return each_app


@pytest.fixture
def is_there(log):
    """Return a function that tells whether the log has a saga."""
    view = view_of(log)
    return lambda saga_id: view.client.exists(view.saga_key(saga_id))


def begin(saga, saga_id, **given):
    return saga.start(Order(job_id=saga_id, **given), saga_id=saga_id)


def test_a_child_is_done_in_its_place_and_its_output_is_there(work, saga_id, dispatch):
    handle = begin(BILLED[dispatch], saga_id)
    handle.wait(timeout=60)
    assert (handle.status, records_of(work, saga_id)) == ("completed", ["a", "bill", "b"])
    assert amends.get(f"{saga_id}.invoice").status == "completed"
    assert handle.snapshot().steps["invoice"].state == "done"


@pytest.mark.parametrize("sagas", [FIRST, LAST])
def test_a_child_may_come_first_or_last(work, saga_id, dispatch, sagas):
    handle = begin(sagas[dispatch], saga_id)
    handle.wait(timeout=60)
    assert handle.status == "completed"


def test_a_child_that_turned_back_has_failed(work, saga_id, dispatch):
    work.script(f"{saga_id}.invoice:bill", without_effect(Refused("no")))
    handle = begin(BILLED[dispatch], saga_id)
    result = handle.wait(timeout=60)
    assert (handle.status, result.outcome) == ("compensated", "no_invoice")
    assert records_of(work, saga_id) == ["a", "bill", "a:undo"]


def test_a_completed_child_is_undone_with_its_parent(work, saga_id, dispatch):
    work.script(f"{saga_id}:b", *[without_effect(Refused("no"))])
    handle = begin(BILLED[dispatch], saga_id)
    handle.wait(timeout=60)
    assert handle.status == "compensated"
    assert records_of(work, saga_id) == ["a", "bill", "b", "bill:undo", "a:undo"]
    assert amends.get(f"{saga_id}.invoice").outcome == "undone"


def test_a_cancel_goes_down_to_the_child(work, saga_id, dispatch, is_there):
    handle = begin(ASKING[dispatch], saga_id)
    child = f"{saga_id}.invoice"
    eventually(lambda: handle.snapshot().steps["invoice"].state == "waiting")
    eventually(lambda: is_there(child))
    eventually(lambda: amends.get(child).snapshot().steps["approval"].state == "waiting")
    assert handle.cancel()
    handle.wait(timeout=60)
    assert (handle.status, records_of(work, saga_id)) == ("compensated", ["a", "a:undo"])
    assert amends.get(child).status == "compensated"
    own, of_child = (
        find_acts(current_app, ActQuery(saga_id=each)).acts for each in (saga_id, child)
    )
    assert [each.act for each in own] == ["cancel"]
    assert of_child == []  # no operator did that


def test_a_cancel_asks_for_no_input_that_a_child_of_before_had(
    work, saga_id, dispatch, is_there, monkeypatch
):
    def invalid(*_):
        raise ValueError("a newer model needs a customer")

    handle = begin(ASKING[dispatch], saga_id)
    child = f"{saga_id}.invoice"
    eventually(
        lambda: (
            is_there(child) and amends.get(child).snapshot().steps["approval"].state == "waiting"
        )
    )
    monkeypatch.setitem(children.STARTS, f"asking_invoice_{dispatch}", invalid)
    assert handle.cancel()
    handle.wait(timeout=60)
    assert (handle.status, amends.get(child).status) == ("compensated", "compensated")


def test_a_child_that_was_cancelled_before_it_began_begins_no_more(work, saga_id, dispatch, app):
    name = f"asking_invoice_{dispatch}"
    known = children.STARTS.pop(name)
    try:
        handle = begin(ASKING[dispatch], saga_id)
        eventually(lambda: handle.snapshot().steps["invoice"].state == "waiting")
        assert handle.cancel()
        handle.wait(timeout=60)
        assert (handle.status, work.records(saga_id)) == ("compensated", ["a", "a:undo"])
    finally:
        children.remember_start(name, known)
    with pytest.raises(SagaAlreadyStarted):  # as a worker that was about to
        known(app, f"{saga_id}.invoice", {"job_id": saga_id})
    assert amends.get(f"{saga_id}.invoice").status == "compensated"


def test_one_that_was_skipped_before_it_began_has_nothing_to_be_undone(work, saga_id, dispatch):
    begun, go_on = threading.Event(), threading.Event()

    def hold(key):
        begun.set()
        assert go_on.wait(60)
        succeed(key)

    work.script(f"{saga_id}:a", hold)
    handle = begin(ASKED_LATER[dispatch], saga_id)
    assert begun.wait(60)
    handle.pause()
    go_on.set()
    eventually(lambda: handle.snapshot().steps["a"].state == "done")
    handle.skip("invoice", output=Invoice(number="by hand"))
    handle.resume()
    eventually(lambda: handle.snapshot().steps["approval"].state == "waiting")
    assert handle.cancel()
    handle.wait(timeout=60)
    assert (handle.status, records_of(work, saga_id)) == ("compensated", ["a", "a:undo"])


def test_a_child_waits_for_its_own_signal(work, saga_id, dispatch, is_there):
    handle = begin(ASKING[dispatch], saga_id)
    child = f"{saga_id}.invoice"
    eventually(lambda: is_there(child))
    amends.get(child).signal("approval", Approval())
    handle.wait(timeout=60)
    assert handle.status == "completed"


# Items


def each_invoice(dispatch):
    saga = invoice_of(f"item_invoice_{dispatch}", dispatch=dispatch)
    child = Child(saga, name="invoice", inputs={"job_id": "input.job_id"})
    stages = step("a"), Each("input.items", child, concurrency=2), step("b")
    return shape_of(f"billed_items_{dispatch}", *stages, dispatch=dispatch)


PER_ITEM = {each: each_invoice(each) for each in DISPATCHES}


def test_each_item_may_be_a_child(work, saga_id, dispatch):
    handle = begin(PER_ITEM[dispatch], saga_id, items=items_of(*["solid"] * 5))
    handle.wait(timeout=60)
    assert handle.status == "completed"
    assert [amends.get(f"{saga_id}.invoice.{n}").status for n in range(1, 6)] == ["completed"] * 5


def test_children_of_items_are_undone_and_those_that_run_are_cancelled(
    work, saga_id, dispatch, is_there
):
    work.script(f"{saga_id}.invoice.2:bill", without_effect(Refused("no")))
    handle = begin(PER_ITEM[dispatch], saga_id, items=items_of(*["solid"] * 4))
    handle.wait(timeout=60)
    assert handle.status == "compensated"
    found = filter(is_there, [f"{saga_id}.invoice.{n}" for n in range(1, 5)])
    assert {amends.get(each).status for each in found} == {"compensated"}


# What goes wrong between them


def test_an_end_that_is_told_after_the_child_was_turned_hides_no_other(
    work, app, log, saga_id, dispatch
):
    handle, child = begin(BILLED[dispatch], saga_id), f"{saga_id}.invoice"
    handle.wait(timeout=60)
    follows = log.turn_saga(child, error='{"type":"ParentTurnedBack","message":"no"}')
    itinerary = log.read_saga(child).itinerary
    told = Ended(itinerary=itinerary, parent=saga_id, path="invoice", app="")
    assert not children.tell_parent(app, child, told)
    assert view_of(log).client.hget(view_of(log).saga_key(child), "awaited") == "p|0|-"
    send_advance(app, child, follows.number)
    eventually(lambda: amends.get(child).status == "compensated")


def test_an_end_that_nobody_told_is_found_by_a_sweep(
    work, saga_id, dispatch, monkeypatch, is_there
):
    """Whoever ended the child died before its parent heard of it."""
    told = []

    def lose(*_):
        if not told:
            told.append(1)
            raise MemoryError
        return tell(*_)

    tell = coordinator.tell_parent
    monkeypatch.setattr(coordinator, "tell_parent", lose)
    handle, child = begin(ASKING[dispatch], saga_id), f"{saga_id}.invoice"
    eventually(lambda: is_there(child))
    eventually(lambda: amends.get(child).snapshot().steps["approval"].state == "waiting")
    amends.get(child).signal("approval", Approval())
    handle.wait(timeout=60)
    assert (handle.status, told) == ("completed", [1])


def test_a_child_that_is_stuck_leaves_its_parent_waiting(work, saga_id, dispatch):
    work.script(f"{saga_id}.invoice:bill:undo", *[without_effect(Refused("no"))])
    work.script(f"{saga_id}:b", without_effect(Refused("no")))
    handle, child = begin(BILLED[dispatch], saga_id), f"{saga_id}.invoice"
    eventually(lambda: handle.status == "compensating" and amends.get(child).status == "stuck")
    assert handle.snapshot().steps["invoice"].state == "compensating"
    with pytest.raises(ActRefused, match="invoice:undo is a saga of its own: act on that"):
        handle.skip("invoice:undo")
    amends.get(child).skip("bill")
    handle.wait(timeout=60)
    assert (handle.status, amends.get(child).status) == ("compensated", "compensated")


def test_an_id_that_belongs_to_another_saga_fails_the_step(work, saga_id, dispatch):
    BILLED[dispatch].start(Order(job_id="else"), saga_id=f"{saga_id}.invoice")
    handle = begin(BILLED[dispatch], saga_id)
    handle.wait(timeout=60)
    assert handle.outcome == "no_invoice"
    assert "SagaAlreadyStarted" in handle.snapshot().steps["invoice"].error


def test_a_child_of_another_saga_is_not_taken(work, saga_id, dispatch, app, log):
    child = f"{saga_id}.invoice"
    children.STARTS[f"asking_invoice_{dispatch}"](app, child, {"job_id": saga_id})
    log.adopt_saga(child, "another", "invoice")
    handle = begin(ASKING[dispatch], saga_id)
    handle.wait(timeout=60)
    assert handle.outcome == "no_invoice"
    assert "it is the child of another, step invoice" in handle.snapshot().steps["invoice"].error


def test_a_worker_that_does_not_know_the_child_leaves_it_to_others(
    work, saga_id, dispatch, monkeypatch, warnings
):
    known = children.STARTS.pop(f"billed_invoice_{dispatch}")
    handle = begin(BILLED[dispatch], saga_id)
    eventually(lambda: "which this process does not know: import the module" in warnings.text)
    children.remember_start(f"billed_invoice_{dispatch}", known)
    handle.wait(timeout=60)
    assert handle.status == "completed"


def test_a_child_is_kept_as_long_as_its_parent_may_turn_it(work, saga_id, dispatch, log):
    handle = begin(ASKED_LATER[dispatch], saga_id)
    eventually(lambda: handle.snapshot().steps["approval"].state == "waiting")
    child = f"{saga_id}.invoice"
    assert log.maintenance.remove_sagas([child], kept_for=-1.0) == 0
    assert handle.cancel()
    handle.wait(timeout=60)
    assert amends.get(child).status == "compensated"
    assert log.maintenance.remove_sagas([child], kept_for=-1.0) == 1


def test_a_long_id_leaves_room_for_those_of_children(dispatch):
    with pytest.raises(ValueError, match="leaves no room for its child"):
        BILLED[dispatch].start(Order(job_id="x"), saga_id="x" * 124)


@pytest.mark.parametrize(
    ("define", "message"),
    [
        (lambda: Child(act), "it takes a Saga"),
        (lambda: Child(FINAL, inputs={"other": "input.job_id"}), "which is no field of Job"),
        (
            lambda: shape_of("x", step("a"), Child(FINAL, inputs={"job_id": "input.job_id"})),
            "step 'final': its saga has a point of no return, and could not be undone",
        ),
    ],
)
def test_a_wrong_child_is_refused(define, message):
    with pytest.raises(DefinitionError, match=message):
        define()


def test_past_the_point_of_no_return_a_child_may_be_final():
    assert shape_of("y", step("a", pivot=True), Child(FINAL, inputs={"job_id": "input.job_id"}))
