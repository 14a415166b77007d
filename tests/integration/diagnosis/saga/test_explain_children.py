"""What an explanation says of children that workers carry on: for a step, and for each item of a list."""

import pytest
from pydantic import BaseModel

import amends
from amends import Child, Each, Refused, Saga, Step
from amends.diagnosis.saga.explain import explain
from tests.support.engine_saga import Job, without_effect
from tests.support.eventually import eventually
from tests.support.sagas.shapes import Approval, Order, approval, items_of, shape_of, step
from tests.support.sagas.wide import act, revert

pytestmark = pytest.mark.usefixtures("swept")


class Invoice(BaseModel):
    number: str | None = None


JOB = {"job_id": "input.job_id"}
bill = Step(act, name="bill", compensation=revert)
letter = Saga(
    "told_letter",
    input=Job,
    output=Invoice,
    steps=[bill, approval()],
    outputs={"number": "bill.part"},
)
invoice = Saga(
    "told_invoice",
    input=Job,
    output=Invoice,
    steps=[Child(letter, name="letter", inputs=JOB)],
    outputs={"number": "letter.number"},
)
order = shape_of("told_order", step("a"), Child(invoice, name="invoice", inputs=JOB), step("b"))
parcels = shape_of(
    "told_parcels", Each("input.items", Child(letter, name="parcel", inputs=JOB), concurrency=3)
)


def waits(saga_id):
    """Wait until a saga is there and waits for its approval."""

    def is_waiting():
        try:
            return amends.get(saga_id).snapshot().steps["approval"].state == "waiting"
        except amends.UnknownSaga:
            return False

    eventually(is_waiting)


def test_a_wait_for_a_child_is_followed_down_to_the_signal_that_ends_it(app, work, saga_id):
    handle = order.start(Order(job_id=saga_id), saga_id=saga_id)
    deepest = f"{saga_id}.invoice.letter"
    waits(deepest)
    found = explain(app, saga_id)
    assert found.record.child.id == f"{saga_id}.invoice"
    assert [each.id for each in found.record.child.waits_for] == [deepest]
    (cause,) = found.causes
    assert (cause.id, cause.record.path) == (deepest, "approval")
    assert cause.remedies[0].act == "signal"
    assert (cause.parent.id, cause.parent.is_waiting) == (f"{saga_id}.invoice", True)
    amends.get(deepest).signal("approval", Approval())
    handle.wait(timeout=60)
    assert (handle.status, explain(app, saga_id).causes) == ("completed", ())
    assert explain(app, deepest).parent.status == "completed"


def test_a_stuck_undo_beneath_is_the_cause_until_it_is_retried(app, work, saga_id, log):
    deepest = f"{saga_id}.invoice.letter"
    work.script(f"{deepest}:bill:undo", without_effect(Refused("no")))
    handle = order.start(Order(job_id=saga_id), saga_id=saga_id)
    waits(deepest)
    assert handle.cancel()
    eventually(lambda: amends.get(deepest).status == "stuck")
    found = explain(app, saga_id)
    (cause,) = found.causes
    assert (cause.id, cause.situation) == (deepest, "stuck")
    (child,) = log.children.read_children(log.read_saga(saga_id))
    assert [each.id for each in child.children] == [deepest]
    (stuck,) = [each for each in child.children if each.is_stuck]
    assert [each.id for each, _ in log.children.read_waiting([stuck.summary])] == [
        f"{saga_id}.invoice",
        saga_id,
    ]
    amends.get(deepest).retry()
    handle.wait(timeout=60)
    assert handle.status == "compensated"


def test_of_items_the_stuck_one_is_told_first(app, work, saga_id):
    work.script(f"{saga_id}.parcel.3:bill:undo", without_effect(Refused("no")))
    handle = parcels.start(Order(job_id=saga_id, items=items_of(*["solid"] * 4)), saga_id=saga_id)
    for number in (1, 2, 3):
        waits(f"{saga_id}.parcel.{number}")
    amends.get(f"{saga_id}.parcel.3").cancel()
    eventually(lambda: amends.get(f"{saga_id}.parcel.3").status == "stuck")
    found = explain(app, saga_id)
    assert found.record.path == "parcel[3]"
    assert [each.id for each in found.causes] == [f"{saga_id}.parcel.3"]
    assert (found.stage.at_hand, found.stage.waiting) == ({"waiting": 3}, 1)
    amends.get(f"{saga_id}.parcel.3").retry()
    handle.wait(timeout=60)
    assert handle.status == "compensated"
