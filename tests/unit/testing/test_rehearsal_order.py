"""The order saga, rehearsed: its services are stubbed, everything else is real."""

from decimal import Decimal

import pytest

from amends import NotDone
from sagas.order import order_saga
from tasks.inventory import InsufficientStock, Reservation
from tasks.orders import Order
from tasks.payment import InsufficientFunds, Payment
from tasks.shipping import Shipment, UndeliverableAddress

BOOK = {"product_id": "book", "quantity": 2, "price": "3.50"}
ORDER = Order(
    order_id="order-1",
    user_id="ada",
    items=[BOOK],
    total_amount=Decimal("7.00"),
    shipping_address="1 Long Lane",
)
OUTPUTS = {
    "reserve_inventory": Reservation(reservation_id="r-1"),
    "reserve_inventory:undo": None,
    "process_payment": Payment(transaction_id="t-1"),
    "process_payment:undo": None,
    "process_payment:fallback": Payment(transaction_id="t-2"),
    "process_payment:fallback:undo": None,
    "create_shipment": Shipment(shipment_id="s-1"),
    "create_shipment:undo": None,
    "send_notification": None,
}


@pytest.fixture
def services(rehearsal):
    for path, output in OUTPUTS.items():
        rehearsal.at(order_saga, path).stub(output)
    return rehearsal


def test_an_order_completes(services):
    result = services.run(order_saga, ORDER, saga_id=ORDER.order_id).wait(timeout=0)
    assert (result.outcome, result.transaction_id, result.shipment_id) == (
        "completed",
        "t-1",
        "s-1",
    )
    assert services.done == [
        "validate_order",
        "reserve_inventory",
        "process_payment",
        "create_shipment",
        "send_notification",
    ]
    charge = services.calls[2]
    assert (charge.request.amount, charge.idempotency_key) == (
        Decimal("7.00"),
        "order-1:process_payment",
    )


def test_the_real_rules_of_business_hold(services):
    order = ORDER.model_copy(update={"total_amount": Decimal("8.00")})
    assert services.run(order_saga, order).outcome == "validation_failed"
    assert services.done == services.undone == []


@pytest.mark.parametrize(
    ("path", "error", "outcome", "undone"),
    [
        ("reserve_inventory", InsufficientStock("none"), "out_of_stock", []),
        ("reserve_inventory", OSError("cut"), "reservation_failed", ["reserve_inventory"]),
        ("process_payment", InsufficientFunds("poor"), "payment_failed", ["reserve_inventory"]),
        (
            "create_shipment",
            UndeliverableAddress("where?"),
            "shipment_failed",
            ["process_payment", "reserve_inventory"],
        ),
        ("send_notification", OSError("cut"), "completed", []),
    ],
)
def test_a_failure_is_undone_and_named(services, path, error, outcome, undone):
    services.at(order_saga, path).raises(error, times=None)
    handle = services.run(order_saga, ORDER)
    assert (handle.outcome, services.undone) == (outcome, undone)


def test_an_order_is_paid_through_the_other_channel(services):
    services.at(order_saga, "process_payment").raises(NotDone("down"), times=None)
    assert services.run(order_saga, ORDER).wait(timeout=0).transaction_id == "t-2"
    assert services.undone == []


def test_an_order_is_cancelled_while_it_is_paid(services):
    services.at(order_saga, "process_payment").before(lambda handle: handle.cancel(by="ada"))
    handle = services.run(order_saga, ORDER)
    assert handle.outcome == "cancelled"
    assert services.undone == ["process_payment", "reserve_inventory"]


def test_an_order_times_out(services):
    services.at(order_saga, "create_shipment").before(lambda _: services.advance(901.0))
    handle = services.run(order_saga, ORDER)
    assert handle.outcome == "timed_out"
    assert services.undone == ["create_shipment", "process_payment", "reserve_inventory"]
    assert "send_notification" not in services.done
