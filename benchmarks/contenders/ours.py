"""Our saga: five activities, three of them with what undoes them, as an order has.

With ``BENCH_INLINE`` a worker goes on with the next step itself.
"""

import os
from collections.abc import Sequence

from pydantic import BaseModel

from amends import Saga, Step, activity
from amends.log.saga_log import log_of
from benchmarks.contenders.application import LOG, application, redis_url
from benchmarks.orders import order_of
from benchmarks.stamps import stamp

app = application("ours")
app.conf.amends_backend = redis_url(LOG)


class Item(BaseModel):
    """A line of an order."""

    product_id: str
    quantity: int
    price: str


class Order(BaseModel):
    """The order."""

    order_id: str
    user_id: str
    items: list[Item]
    total_amount: str
    currency: str
    shipping_address: str
    note: str


class Receipt(BaseModel):
    """What a step answers."""

    receipt_id: str


class OrderResult(BaseModel):
    """What came of it."""

    order_id: str
    outcome: str
    error: str | None


@activity
def validate(order: Order) -> None:
    """Do nothing, as the others do."""


@activity
def reserve(order: Order) -> Receipt:
    """Do nothing."""
    return Receipt(receipt_id=f"reserved-{order.order_id}")


@activity
def pay(order: Order) -> Receipt:
    """Do nothing."""
    return Receipt(receipt_id=f"paid-{order.order_id}")


@activity
def ship(order: Order) -> Receipt:
    """Do nothing."""
    return Receipt(receipt_id=f"shipped-{order.order_id}")


@activity
def notify(order: Order) -> None:
    """Note the end."""
    stamp(order.order_id)


@activity
def undo(order: Order, receipt: Receipt | None) -> None:
    """Do nothing; no saga of the benchmark comes to it."""


saga = Saga(
    "order",
    input=Order,
    output=OrderResult,
    timeout=900.0,
    steps=[
        Step(validate, compensation=None, outcome="invalid"),
        Step(reserve, compensation=undo, outcome="not_reserved"),
        Step(pay, compensation=undo, outcome="not_paid"),
        Step(ship, compensation=undo, outcome="not_shipped"),
        Step(notify, compensation=None, on_failure="continue"),
    ],
    dispatch="inline" if os.environ.get("BENCH_INLINE") else "chain",
)


def start(number: int) -> None:
    """Start one."""
    order = Order.model_validate(order_of(number))
    saga.start(order, saga_id=order.order_id)


def start_many(numbers: Sequence[int]) -> None:
    """Start these at once."""
    orders = [Order.model_validate(order_of(number)) for number in numbers]
    saga.start_many(orders, saga_ids=[order.order_id for order in orders])


def count_completed() -> int:
    """Count those that completed."""
    return log_of(app).read_counters().get(("sagas", "order", "completed"), 0)
