"""The saga log that the golden screens show: the reference system at one moment of a clock that stands still."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from celery import Celery, current_app

from amends import CircuitOpenError
from amends.testing import Rehearsal
from sagas.fulfilment import fulfilment_saga
from sagas.order import order_saga
from sagas.settlement import nightly_settlement
from tasks.inventory import Reservation
from tasks.orders import Fulfilment, Item, Order, OrderItem, Parcel
from tasks.payment import InsufficientFunds, Payment, primary
from tasks.shipping import Shipment, UndeliverableAddress

NOON: Final = 1_772_366_400.0  # 2026-03-01 12:00 UTC
CUT: Final = ConnectionError(
    "POST payments.shop.internal/refunds: server disconnected without a response"
)
LONG_ID: Final = "3f0d6c1e-9a54-4b7e-8a44-0f5c2b9d7e10"
AWAY: Final = ConnectionError("POST shipping.shop.internal/shipments: connection refused")


def order_of(order_id: str) -> Order:
    return Order(
        order_id=order_id,
        user_id="ada",
        items=[OrderItem(product_id="book", quantity=2, price=Decimal("3.50"))],
        total_amount=Decimal("7.00"),
        shipping_address="9 Nowhere Road",
    )


def fulfilment_of(order_id: str, amount: str) -> Fulfilment:
    items = [Item(product_id="book", quantity=1)]
    parcels = [
        Parcel(parcel_id=f"{order_id}-{n}", warehouse="north", items=items) for n in (1, 2, 3)
    ]
    own = order_of(order_id).model_dump() | {"total_amount": Decimal(amount), "parcels": parcels}
    return Fulfilment.model_validate(own)


@contextmanager
def a_day_at_the_shop() -> Iterator[Celery]:
    """Give an app whose log has a saga of each standing, and make it current."""
    with Rehearsal(now=NOON) as rehearsal:
        _Day(rehearsal).play()
        yield current_app._get_current_object()


class _Day:
    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal

    def at(self, path: str, saga: Any = order_saga) -> Any:
        return self.rehearsal.at(saga, path)

    def play(self) -> None:
        self._stub()
        run = self.rehearsal.run
        run(order_saga, order_of("order-1001"), saga_id="order-1001")
        self.at("process_payment").raises(InsufficientFunds("the account has 3.20 EUR of 7.00 EUR"))
        run(order_saga, order_of("order-1002"), saga_id="order-1002")
        self.rehearsal.advance(600.0)
        self._refunds_fail(["order-1003", "order-1004", LONG_ID])
        self.at("create_shipment").raises(AWAY, times=2)
        run(order_saga, order_of("order-1005"), saga_id="order-1005", within=0.0)
        run(order_saga, order_of("order-1006"), saga_id="order-1006", within=0.0).pause(
            by="ada", why="the address is being asked for"
        )
        order_saga.start(order_of("order-1007"), saga_id="order-1007", after=3600.0)
        run(
            fulfilment_saga,
            fulfilment_of("fulfilment-2001", "700.00"),
            saga_id="fulfilment-2001",
            within=0.0,
        )
        self.rehearsal.advance(90.0)

    def _refunds_fail(self, ids: list[str]) -> None:
        for each in ids:
            self.at("create_shipment").raises(
                UndeliverableAddress("nobody delivers to 9 Nowhere Road")
            )
            self.at("process_payment:undo").raises(CUT, times=20)
            self.rehearsal.run(order_saga, order_of(each), saga_id=each)

    def _stub(self) -> None:
        self.at("validate_order").stub(None)
        self.at("reserve_inventory").stub(Reservation(reservation_id="r-1"))
        self.at("process_payment").stub(Payment(transaction_id="t-1", channel="primary"))
        self.at("create_shipment").stub(Shipment(shipment_id="s-1", tracking_number="n-1"))
        self.at("send_notification").stub(None)
        for undone in ("reserve_inventory", "process_payment", "create_shipment"):
            self.at(f"{undone}:undo").stub(None)
