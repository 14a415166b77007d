"""An order from validation to the customer's notification."""

import os
from typing import Any, Final

from pydantic import BaseModel

from amends import Saga, Step
from tasks.inventory import InsufficientStock, release_inventory, reserve_inventory
from tasks.notification import send_notification
from tasks.orders import Order, validate_order
from tasks.payment import Channel, fallback_payment, process_payment, refund_payment
from tasks.shipping import cancel_shipment, create_shipment


class OrderResult(BaseModel):
    """What came of an order. The ids are of what was done, also where it was undone later.

    `channel` is what it was paid through, and `degraded` says what went otherwise than it should, and why.
    """

    order_id: str
    outcome: str
    transaction_id: str | None
    shipment_id: str | None
    error: str | None
    channel: Channel | None = None
    degraded: list[str] = []


DISPATCH: Final[Any] = os.environ.get("ORDER_DISPATCH") or "chain"

order_saga = Saga(
    "order",
    input=Order,
    output=OrderResult,
    timeout=900.0,
    dispatch=DISPATCH,
    search={"customer": "input.user_id"},
    steps=[
        Step(validate_order, compensation=None, outcome="validation_failed"),
        Step(
            reserve_inventory,
            compensation=release_inventory,
            outcome={InsufficientStock: "out_of_stock", Exception: "reservation_failed"},
        ),
        Step(
            process_payment,
            fallback=fallback_payment,
            compensation=refund_payment,
            inputs={"amount": "input.total_amount"},
            outcome="payment_failed",
        ),
        Step(create_shipment, compensation=cancel_shipment, outcome="shipment_failed"),
        Step(send_notification, compensation=None, on_failure="continue"),
    ],
)
