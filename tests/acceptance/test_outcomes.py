"""Every outcome of an order, on real workers and services; the services' ledger is the judge."""

from decimal import Decimal

import pytest

from sagas.external_call import external_call_saga
from sagas.payment import payment_saga
from tasks.external import ExternalCall
from tasks.orders import OrderItem
from tasks.payment import Charge

PIN = OrderItem(product_id="never stocked", quantity=1, price=Decimal("0.995"))
DEAR = [OrderItem(product_id="never stocked", quantity=2, price=Decimal("3.50"))]


def test_an_order_completes_with_a_transaction_and_a_shipment(system):
    handle, result = system.run()
    assert (handle.status, result.outcome, result.error) == ("completed", "completed", None)
    assert result.transaction_id
    assert result.shipment_id
    system.assert_in_force(handle.id)
    assert system.ledger(handle.id)["notifications"] == 1
    assert {step.state for step in handle.snapshot().steps.values()} == {"done"}


@pytest.mark.parametrize("amount", ["7.000", "7", "7E+0"])
def test_the_same_number_is_the_same_amount(system, amount):
    _, result = system.run(total_amount=Decimal(amount))
    assert result.outcome == "completed"
    system.assert_in_force(result.order_id)


@pytest.mark.parametrize(
    ("changes", "outcome", "error"),
    [
        ({"items": []}, "validation_failed", "InvalidOrder: an order needs at least one item"),
        (
            {"total_amount": Decimal("7.01")},
            "validation_failed",
            "InvalidOrder: the items add up to 7.00",
        ),
        (
            {"shipping_address": " "},
            "validation_failed",
            "InvalidOrder: an order needs a shipping address",
        ),
        (
            {"items": [PIN], "total_amount": PIN.price},
            "validation_failed",
            "InvalidOrder: the total: 0.995 is no amount above 0 in whole cents",
        ),
        ({"currency": "eur"}, "validation_failed", "InvalidOrder: the currency is 'eur'"),
        ({"user_id": ""}, "validation_failed", "InvalidOrder: an order needs a user"),
        ({"items": DEAR}, "out_of_stock", "InsufficientStock"),
        ({"user_id": "poor-joe"}, "payment_failed", "InsufficientFunds"),
        ({"user_id": "expired-ann"}, "payment_failed", "InvalidPaymentMethod"),
        ({"shipping_address": "1 Nowhere Road"}, "shipment_failed", "UndeliverableAddress"),
    ],
)
def test_a_refused_order_leaves_nothing_in_force(system, changes, outcome, error):
    handle, result = system.run(**changes)
    assert (handle.status, result.outcome) == ("compensated", outcome)
    assert result.error.startswith(error)
    system.assert_nothing_in_force(handle.id)


def test_a_shipment_that_fails_refunds_first_and_releases_then(system):
    handle, result = system.run(shipping_address="1 Nowhere Road")
    begun = [event.record for event in handle.history() if event.name == "step.compensating"]
    assert begun == ["process_payment:undo", "reserve_inventory:undo"]
    assert (bool(result.transaction_id), result.shipment_id) == (True, None)


@pytest.mark.parametrize(
    ("down", "outcome"),
    [
        (["inventory"], "reservation_failed"),
        (["payments.primary", "payments.fallback"], "payment_failed"),
        (["shipping"], "shipment_failed"),
    ],
)
def test_an_order_fails_cleanly_where_a_service_is_down(system, down, outcome):
    for service in down:
        system.fault(service, down=True)
    handle, result = system.run()
    assert (handle.status, result.outcome) == ("compensated", outcome)
    system.assert_nothing_in_force(handle.id)


def test_an_order_completes_through_the_fallback_where_the_primary_is_down(system):
    system.fault("payments.primary", down=True)
    handle, result = system.run()
    assert result.outcome == "completed"
    assert handle.snapshot().steps["process_payment"].channel == "fallback"
    system.assert_in_force(handle.id)


def test_a_refund_goes_through_the_channel_that_was_charged(system):
    system.fault("payments.primary", down=True)
    handle, result = system.run(shipping_address="1 Nowhere Road")
    assert (result.outcome, bool(result.transaction_id)) == ("shipment_failed", True)
    system.assert_nothing_in_force(handle.id)


def test_an_order_completes_where_the_notifier_is_down(system):
    system.fault("notifications", down=True)
    handle, result = system.run()
    assert (handle.status, result.outcome) == ("completed", "completed")
    assert handle.snapshot().steps["send_notification"].state == "failed"
    system.assert_in_force(handle.id)


def test_an_order_is_charged_once_where_the_primary_loses_every_reply(system):
    system.fault("payments.primary", lost_reply_rate=1.0)
    handle, result = system.run()
    assert result.outcome == "completed"
    system.assert_in_force(handle.id)
    channels = handle.snapshot().steps["process_payment"].channels
    assert (channels["primary"].state, channels["primary"].undo) == ("unknown", "done")
    assert channels["fallback"].state == "done"


def test_orders_stay_consistent_where_every_service_loses_replies_and_fails(system):
    for service in ("inventory", "payments.primary", "payments.fallback", "shipping"):
        system.fault(service, lost_reply_rate=0.2, error_rate=0.2, lost_undo_reply_rate=0.2)
    handles = [system.start() for _ in range(20)]
    for handle in handles:
        if handle.wait(timeout=90).outcome == "completed":
            system.assert_in_force(handle.id)
        else:
            system.assert_nothing_in_force(handle.id)


def charge(system, **changes):
    order = system.order(**changes)
    return Charge(
        order_id=order.order_id, user_id=order.user_id, amount=Decimal("9.99"), currency="EUR"
    )


def test_a_payment_alone_goes_through_the_primary_or_else_the_fallback(system):
    first = payment_saga.start(charge(system)).wait(timeout=60)
    system.fault("payments.primary", down=True)
    request = charge(system)
    handle = payment_saga.start(request)
    second = handle.wait(timeout=60)
    assert (first.outcome, second.outcome) == ("completed", "completed")
    assert handle.snapshot().steps["primary_payment"].channel == "fallback"
    assert system.ledger(request.order_id)["charged"] == "9.99"


def test_a_payment_alone_that_is_refused_says_so(system):
    result = payment_saga.start(charge(system, user_id="poor-joe")).wait(timeout=60)
    assert (result.outcome, result.transaction_id) == ("payment_failed", None)


def test_an_external_call_answers_or_fails(system):
    call = ExternalCall(payload={"question": 42})
    assert external_call_saga.start(call).wait(timeout=60).answer == {"question": 42}
    system.fault("external", down=True)
    result = external_call_saga.start(call).wait(timeout=60)
    assert (result.outcome, result.answer) == ("call_failed", None)
