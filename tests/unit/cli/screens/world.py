"""The saga log that the golden screens show: the reference system at one moment of a clock that stands still."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

from celery import Celery
from celery.app import app_or_default

from amends.testing import Rehearsal
from amends.testing.clock import Clock
from sagas.fulfilment import fulfilment_saga
from sagas.invoice import invoice_saga
from sagas.order import order_saga
from sagas.settlement import nightly_settlement
from tasks.bank import Authorization, Capture
from tasks.inventory import Reservation
from tasks.invoicing import Invoice
from tasks.orders import Fulfilment, Item, Order, OrderItem, Parcel
from tasks.payment import InsufficientFunds, Payment
from tasks.risk import RiskScore
from tasks.shipping import Shipment, UndeliverableAddress, shipping

NOON: Final = 1_772_366_400.0  # 2026-03-01 12:00 UTC
LONG_ID: Final = "3f0d6c1e-9a54-4b7e-8a44-0f5c2b9d7e10"
CUT: Final = ConnectionError(
    "DELETE payments.shop.internal/primary/charges: server disconnected without a response"
)
AWAY: Final = ConnectionError("POST shipping.shop.internal/shipments: connection refused")
_STUBS: Final = {
    order_saga: {
        "validate_order": None,
        "reserve_inventory": Reservation(reservation_id="r-1"),
        "process_payment": Payment(transaction_id="t-1", channel="primary"),
        "create_shipment": Shipment(shipment_id="s-1"),
        "send_notification": None,
        "reserve_inventory:undo": None,
        "process_payment:undo": None,
        "create_shipment:undo": None,
    },
    fulfilment_saga: {
        "reserve_parcel": Reservation(reservation_id="r-2"),
        "score_risk": RiskScore(score=3),
        "authorize_payment": Authorization(authorization_id="a-2"),
        "capture_payment": Capture(capture_id="c-2"),
        "ship_parcel": Shipment(shipment_id="s-2"),
    },
    invoice_saga: {"issue_invoice": Invoice(invoice_id="i-2")},
}


def order_of(order_id: str) -> Order:
    """Give an order of two books."""
    return Order(
        order_id=order_id,
        user_id="ada",
        items=[OrderItem(product_id="book", quantity=2, price=Decimal("3.50"))],
        total_amount=Decimal("7.00"),
        shipping_address="9 Nowhere Road",
    )


def fulfilment_of(order_id: str, price: str) -> Fulfilment:
    """Give one of three books in three parcels."""
    items = [Item(product_id="book", quantity=1)]
    parcels = [
        Parcel(parcel_id=f"{order_id}-{n}", warehouse="north", items=items) for n in (1, 2, 3)
    ]
    return Fulfilment(
        order_id=order_id,
        user_id="bob",
        items=[OrderItem(product_id="book", quantity=3, price=Decimal(price))],
        total_amount=3 * Decimal(price),
        shipping_address="1 Long Lane",
        parcels=parcels,
    )


@contextmanager
def a_day_at_the_shop() -> Iterator[tuple[Celery, Clock]]:
    """Give an app whose log has a saga of each standing, made current, and the log's clock."""
    random.seed(1)  # retries are spread by chance
    with Rehearsal(now=NOON) as rehearsal:
        _Day(rehearsal).play()
        yield app_or_default(), rehearsal.clock


class _Day:
    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal

    def play(self) -> None:
        """Let the day go by: what has ended, what is stuck, then what goes on."""
        for saga, stubs in _STUBS.items():
            for path, output in stubs.items():
                self._at(path, saga).stub(output)
        self._order("order-1001")
        self._at("process_payment").raises(InsufficientFunds("there are 3.20 EUR of 7.00 EUR"))
        self._order("order-1002")
        self._rehearsal.advance(600.0)
        self._rehearsal.use(nightly_settlement)
        for each in ("order-1003", "order-1004", LONG_ID):
            self._be_stuck(each)
        self._go_on()
        self._rehearsal.advance(2.0)

    def _at(self, path: str, saga: Any = order_saga) -> Any:
        return self._rehearsal.at(saga, path)

    def _order(self, order_id: str, **how: Any) -> Any:
        return self._rehearsal.run(order_saga, order_of(order_id), saga_id=order_id, **how)

    def _be_stuck(self, order_id: str) -> None:
        self._at("create_shipment").raises(UndeliverableAddress("nobody delivers there"))
        self._at("process_payment:undo").raises(CUT, times=20)
        self._order(order_id)

    def _go_on(self) -> None:
        self._at("create_shipment").raises(AWAY, times=3)
        self._order("order-1005", within=0.0)
        paused = self._order("order-1006", within=0.0)
        paused.pause(by="ada", why="the customer is asked for the address")
        order_saga.start(order_of("order-1007"), saga_id="order-1007", after=3600.0)
        run = self._rehearsal.run
        run(fulfilment_saga, fulfilment_of("f-2001", "300"), saga_id="f-2001", within=0.0)
        self._at("ship_parcel[2]", fulfilment_saga).raises(AWAY)
        run(fulfilment_saga, fulfilment_of("f-2002", "3.50"), saga_id="f-2002", within=0.0)
        self._rehearsal.clock.advance(0.1)  # acts of one moment are listed in no order
        shipping.force_open(by="ada", why="they asked us to stop")
