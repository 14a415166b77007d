"""The fulfilment saga, rehearsed: its services are stubbed, everything else is real."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from amends import ActRefused, NotDone
from sagas.fulfilment import APPROVAL_WITHIN, fulfilment_saga
from sagas.invoice import invoice_saga
from tasks.bank import Authorization, Capture
from tasks.inventory import InsufficientStock, Reservation
from tasks.invoicing import Invoice
from tasks.orders import Approval, Fulfilment
from tasks.payment import InsufficientFunds
from tasks.shipping import Shipment, UndeliverableAddress

FULFILMENT = Fulfilment(
    order_id="f-1",
    user_id="ada",
    items=[{"product_id": "book", "quantity": 3, "price": "3.50"}],
    total_amount=Decimal("10.50"),
    shipping_address="1 Long Lane",
    parcels=[
        {
            "parcel_id": "p-1",
            "warehouse": "north",
            "items": [{"product_id": "book", "quantity": 1}],
        },
        {
            "parcel_id": "p-2",
            "warehouse": "south",
            "items": [{"product_id": "book", "quantity": 2}],
        },
    ],
)
OUTPUTS = {
    "reserve_parcel": Reservation(reservation_id="r-1"),
    "reserve_parcel:undo": None,
    "authorize_payment": Authorization(authorization_id="a-1"),
    "authorize_payment:undo": None,
    "wrap_gift": Reservation(reservation_id="w-1"),
    "wrap_gift:undo": None,
    "capture_payment": Capture(capture_id="c-1"),
    "capture_payment:verify": None,
    "ship_parcel": Shipment(shipment_id="s-1"),
    "notify_of_parcels": None,
}
RESERVED = {"reserve_parcel[1]", "reserve_parcel[2]"}


@pytest.fixture
def services(rehearsal):
    for path, output in OUTPUTS.items():
        rehearsal.at(fulfilment_saga, path).stub(output)
    rehearsal.at(invoice_saga, "issue_invoice").stub(Invoice(invoice_id="i-1"))
    rehearsal.at(invoice_saga, "issue_invoice:undo").stub(None)
    return rehearsal


def run(services, **changes):
    return services.run(fulfilment_saga, FULFILMENT.model_copy(update=changes))


def test_a_fulfilment_completes(services):
    result = run(services).wait(timeout=0)
    assert (result.outcome, result.capture_id) == ("completed", "c-1")
    assert [each.shipment_id for each in result.shipments] == ["s-1", "s-1"]
    assert "wrap_gift" not in services.done
    assert services.done[-3:] == ["ship_parcel[1]", "ship_parcel[2]", "notify_of_parcels"]


def test_a_gift_is_wrapped(services):
    assert run(services, gift=True).outcome == "completed"
    assert "wrap_gift" in services.done


def test_parcels_that_are_not_the_order_are_refused(services):
    assert run(services, parcels=FULFILMENT.parcels[:1]).outcome == "validation_failed"
    assert run(services, parcels=[FULFILMENT.parcels[0]] * 2).outcome == "validation_failed"
    assert services.done == []


@pytest.mark.parametrize(
    ("path", "error", "outcome", "undone"),
    [
        ("reserve_parcel[2]", InsufficientStock("none"), "out_of_stock", {"reserve_parcel[1]"}),
        ("authorize_payment", InsufficientFunds("poor"), "payment_failed", RESERVED),
        (
            "wrap_gift",
            InsufficientStock("none"),
            "out_of_stock",
            {*RESERVED, "authorize_payment"},
        ),
        (
            "capture_payment",
            NotDone("down"),
            "payment_failed",
            {*RESERVED, "authorize_payment", "wrap_gift", "issue_invoice"},
        ),
    ],
)
def test_up_to_the_capture_everything_is_undone(services, path, error, outcome, undone):
    services.at(fulfilment_saga, path).raises(error, times=3)
    assert run(services, gift=True).outcome == outcome
    assert {*services.undone} == undone


def of_amount(total):
    item = {"product_id": "book", "quantity": 3, "price": total / 3}
    return {"items": [item], "total_amount": total}


def run_large(services, total="600.00"):
    whole = {**FULFILMENT.model_dump(), **of_amount(Decimal(total))}
    return services.run(fulfilment_saga, Fulfilment(**whole))


def test_a_dear_order_is_too_risky(services):
    handle = run_large(services, "1500.00")
    handle.signal("approval", Approval(granted=True))
    assert handle.outcome == "too_risky"
    assert {*services.undone} >= RESERVED


def test_a_large_order_waits_for_a_person(services):
    handle = run_large(services)
    assert (handle.status, services.done) == ("running", ["validate_fulfilment"])
    handle.signal("approval", Approval(granted=True))
    assert handle.wait(timeout=0).outcome == "completed"


@pytest.mark.parametrize("answer", ["no", "none"])
def test_a_large_order_that_nobody_wants_is_not_reserved(services, answer):
    handle = run_large(services)
    if answer == "no":
        handle.signal("approval", Approval(granted=False))
    else:
        services.advance(APPROVAL_WITHIN)
    assert handle.outcome == "not_approved"
    assert "reserve_parcel[1]" not in services.done


def test_an_invoice_that_cannot_be_issued_ends_it_before_money_is_taken(services):
    services.at(invoice_saga, "issue_invoice").raises(NotDone("down"), times=3)
    assert run(services).outcome == "not_invoiced"
    assert {*services.undone} == {*RESERVED, "authorize_payment"}
    assert "capture_payment" not in services.done


def test_the_customer_is_told_on_the_day_of_delivery(services):
    day = datetime.fromtimestamp(services.clock.now, UTC) + timedelta(days=2)
    assert run(services, deliver_at=day).outcome == "completed"
    assert services.calls[-1].at == day.timestamp()


def test_a_capture_without_an_answer_is_found_and_not_repeated(services):
    services.at(fulfilment_saga, "capture_payment").raises(OSError("cut"))
    services.at(fulfilment_saga, "capture_payment:verify").stub(Capture(capture_id="c-found"))
    result = run(services).wait(timeout=0)
    assert (result.outcome, result.capture_id) == ("completed", "c-found")
    assert [call.path for call in services.calls].count("capture_payment") == 1


def test_a_capture_that_the_bank_does_not_know_is_repeated(services):
    services.at(fulfilment_saga, "capture_payment").raises(OSError("cut"))
    assert run(services).outcome == "completed"
    assert [call.path for call in services.calls if "capture" in call.path] == [
        *("capture_payment", "capture_payment:verify", "capture_payment")
    ]


def test_past_the_capture_nothing_is_undone(services):
    services.at(fulfilment_saga, "ship_parcel[2]").raises(UndeliverableAddress("where?"))
    handle = run(services)
    assert handle.status == "stuck"
    assert services.undone == []
    with pytest.raises(ActRefused, match="point of no return"):
        handle.cancel()


def test_a_customer_who_cannot_be_told_gets_the_parcels(services):
    services.at(fulfilment_saga, "notify_of_parcels").raises(OSError("cut"), times=3)
    result = run(services).wait(timeout=0)
    assert result.outcome == "completed"
    assert "notify_of_parcels" in result.degraded[0]
