"""Sagas that are steps of others, on real workers: chain and inline, on each broker."""

import pytest
from pydantic import BaseModel

import amends
from amends import Child, DefinitionError, Each, Parallel, Refused, Saga, Step
from amends.backend.script_constants import TIMED
from amends.dispatch import children
from amends.dispatch.children import child_id
from amends.log.saga_log import log_of
from tests.support.engine_saga import Job, after_effect, without_effect
from tests.support.eventually import eventually
from tests.support.log_view import lost_answers, view_of
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


@pytest.fixture(scope="module")
def app(each_app):
    return each_app


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


def test_a_cancel_goes_down_to_the_child(work, saga_id, dispatch):
    handle = begin(ASKING[dispatch], saga_id)
    child = f"{saga_id}.invoice"
    eventually(lambda: handle.snapshot().steps["invoice"].state == "waiting")
    eventually(lambda: amends.get(child).snapshot().steps["approval"].state == "waiting")
    assert handle.cancel()
    handle.wait(timeout=60)
    assert (handle.status, records_of(work, saga_id)) == ("compensated", ["a", "a:undo"])
    assert amends.get(child).status == "compensated"


def test_a_child_waits_for_its_own_signal(work, saga_id, dispatch):
    handle = begin(ASKING[dispatch], saga_id)
    child = f"{saga_id}.invoice"
    eventually(
        lambda: view_of(log_of(amends.saga.handle.current_app)).client.exists(
            view_of(log_of(amends.saga.handle.current_app)).saga_key(child)
        )
    )
    amends.get(child).signal("approval", Approval())
    handle.wait(timeout=60)
    assert handle.status == "completed"
