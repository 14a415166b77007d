"""Orders of the reference system, each of which is waited for, in a process whose settings lead to the system."""

import os
from decimal import Decimal

import httpx

from sagas.order import order_saga
from tasks.orders import Order, OrderItem

PATIENCE = 60.0
ITEM = OrderItem(product_id="fountain-pen", quantity=2, price=Decimal("34.00"))

stock = f"{os.environ['SERVICES_URL']}/inventory/stock/{ITEM.product_id}"
httpx.put(stock, json={"quantity": 1_000}).raise_for_status()


def start(number: int) -> None:
    """Complete one. Raises ``RuntimeError`` for another outcome: its bytes are not those of a finished order."""
    order = Order(
        order_id=f"order-{1000 + number}",
        user_id="ada",
        items=[ITEM],
        total_amount=Decimal("68.00"),
        shipping_address="1 Long Lane, 1047 AB Amsterdam",
    )
    outcome = order_saga.start(order, saga_id=order.order_id).wait(PATIENCE).outcome
    if outcome != "completed":
        raise RuntimeError(f"{order.order_id} is {outcome}")
