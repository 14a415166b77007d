"""Items whose effect is verified, on the command line."""

import pytest
from celery import current_app

from amends import Each, Saga, Step, activity
from amends.diagnosis.saga.explain import explain
from amends.testing import Rehearsal
from tests.support.sagas.fulfilment import (
    ONCE,
    Fulfilment,
    FulfilmentResult,
    Receipt,
    Shipment,
    call_back,
    order_of,
    ship,
    world,
)
from tests.unit.cli.step_table import do_and_undo


@activity(retry=ONCE)
def find_shipment(shipment: Shipment) -> Receipt | None:
    return None


each = Step(ship, compensation=call_back, verify=find_shipment, settle=100.0)
verified_saga = Saga(
    "verified", input=Fulfilment, output=FulfilmentResult, steps=[Each("input.parcels", each)]
)


@pytest.fixture
def stuck(app):
    """Give a saga whose second parcel nobody knows of, and its verification failed."""
    world.reset()
    with Rehearsal() as rehearsal:
        app.conf.amends_backend = current_app.conf.amends_backend
        rehearsal.at(verified_saga, "ship[2]").raises(OSError("cut"))
        rehearsal.at(verified_saga, "ship[2]:verify").raises(OSError("away"))
        handle = rehearsal.run(verified_saga, order_of(5), saga_id="o-1")
        assert handle.status == "stuck"
        yield handle


def test_a_verification_has_a_row_under_its_item(run, stuck):
    rows = [line.split() for line in do_and_undo(run("show", "o-1").output)]
    assert ["+", "ship[2]", "unknown,", "1", "attempt", "-"] in rows
    assert [">", "|", "its", "verification", "stuck,", "1", "attempt"] in rows


def test_what_a_cancel_is_said_to_undo_of_a_stuck_stage_is_what_it_undoes(stuck):
    effects = explain(current_app, "o-1").cancel.undoes
    stuck.cancel()
    undone = {path for path in world.done if path.endswith(":undo")}
    assert undone == {f"ship[{item}]:undo" for item in (1, 3, 4, 5)}
    assert {undo.path for undo in effects} == undone
