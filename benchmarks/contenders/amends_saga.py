"""Our saga: five activities, three of them with a compensation.

``BENCH_DISPATCH=inline`` lets a worker go on with the next step itself; ``BENCH_FAST_PATH=0`` switches the fast path off,
and ``BENCH_TRACES`` names a tracing tool that it runs with.
"""

import os
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from amends import Saga, Step, activity
from benchmarks.contenders.application import application
from benchmarks.contenders.order import order_of
from benchmarks.contenders.tracing import trace
from benchmarks.stamps import stamp

trace()
app = application("amends")
app.conf.amends_backend = os.environ["BENCH_LOG"]
if os.environ.get("BENCH_FAST_PATH") == "0":
    app.conf.amends_fast_path = False
dispatch: Any = os.environ.get("BENCH_DISPATCH", "chain")


class Item(BaseModel):
    """A line of an order."""

    product_id: str
    quantity: int
    price: str


class Order(BaseModel):
    """Input of the saga."""

    order_id: str
    user_id: str
    items: list[Item]
    total_amount: str
    currency: str
    shipping_address: str
    note: str


class Receipt(BaseModel):
    """Output of a step."""

    receipt_id: str


class OrderResult(BaseModel):
    """Result of the saga."""

    order_id: str
    outcome: str
    error: str | None


@activity
def validate(order: Order) -> None:
    """Do nothing, as the others do."""


@activity
def book(order: Order) -> Receipt:
    """Do nothing."""
    return Receipt(receipt_id=f"receipt-{order.order_id}")


@activity
def notify(order: Order) -> None:
    """Note the end."""
    stamp(order.order_id)


@activity
def undo(order: Order, receipt: Receipt | None) -> None:
    """Do nothing; no saga of the benchmark is compensated."""


saga = Saga(
    "order",
    input=Order,
    output=OrderResult,
    timeout=900.0,
    steps=[
        Step(validate, compensation=None, outcome="invalid"),
        Step(book, name="reserve", compensation=undo, outcome="not_reserved"),
        Step(book, name="pay", compensation=undo, outcome="not_paid"),
        Step(book, name="ship", compensation=undo, outcome="not_shipped"),
        Step(notify, compensation=None, on_failure="continue"),
    ],
    dispatch=dispatch,
)


def start(number: int) -> None:
    """Start one."""
    order = Order.model_validate(order_of(number))
    saga.start(order, saga_id=order.order_id)


def start_many(numbers: Sequence[int]) -> None:
    """Start these at once."""
    orders = [Order.model_validate(order_of(number)) for number in numbers]
    saga.start_many(orders, saga_ids=[order.order_id for order in orders])
