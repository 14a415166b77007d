"""The orders that the demo places, and the outcome that each is made for."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from amends import Handle, Saga
from sagas.order import order_saga
from tasks.orders import Order, OrderItem

SOLD_OUT = "gilded-teapot"
PRICES = {
    "teapot": Decimal("24.90"),
    "cup": Decimal("7.50"),
    "tray": Decimal("18.00"),
    SOLD_OUT: Decimal("990.00"),
}
UNITS_PER_ORDER = 6
# Half are fit to complete, the others fail in every way.
OUTCOMES = {
    "fit": "completed",
    "wrong total": "validation_failed",
    "sold out": "out_of_stock",
    "poor": "payment_failed",
    "expired": "payment_failed",
    "nowhere": "shipment_failed",
}
MIX = ("fit", "wrong total", "fit", "sold out", "fit", "poor", "fit", "expired", "fit", "nowhere")


@dataclass(frozen=True, kw_only=True)
class PlannedOrder:
    """An order, and the outcome that it is made for."""

    saga: ClassVar[Saga[Any, Any]] = order_saga

    order: Order
    expected: str

    def start(self) -> Handle[Any]:
        """Start its saga."""
        return self.saga.start(self.order, saga_id=self.id)

    @property
    def id(self) -> str:
        """The order's id, which is its saga's too."""
        return self.order.order_id

    @property
    def units(self) -> dict[str, int]:
        """The units asked for, per product."""
        return {item.product_id: item.quantity for item in self.order.items}

    @property
    def shipments(self) -> int:
        """How many shipments it leaves in."""
        return 1

    @property
    def authorizations(self) -> int:
        """How many authorizations its payment needs."""
        return 0

    @property
    def invoices(self) -> int:
        """How many invoices it is billed with."""
        return 0


def plan_orders(count: int, *, series: str) -> list[PlannedOrder]:
    """Return `count` orders with the ids ``order-<series>-<n>``."""
    return [_plan(series, number) for number in range(1, count + 1)]


def stock_for(count: int) -> dict[str, int]:
    """Return the stock that `count` orders need, per product."""
    return {product: 0 if product == SOLD_OUT else count * UNITS_PER_ORDER for product in PRICES}


def _plan(series: str, number: int) -> PlannedOrder:
    kind = MIX[(number - 1) % len(MIX)]
    few = 1 + number % 3
    units = [("teapot", 1), ("cup", 2 * few), ("tray", few)][:few]
    if kind == "sold out":
        units.append((SOLD_OUT, 1))
    total = sum((PRICES[product] * quantity for product, quantity in units), Decimal(0))
    order = Order(
        order_id=f"order-{series}-{number:04d}",
        user_id=(f"{kind}-" if kind in ("poor", "expired") else "") + f"user-{number:04d}",
        items=[
            OrderItem(product_id=product, quantity=quantity, price=PRICES[product])
            for product, quantity in units
        ],
        total_amount=total + (Decimal("0.01") if kind == "wrong total" else 0),
        shipping_address="1 Nowhere" if kind == "nowhere" else f"{number} Harbour Street",
    )
    return PlannedOrder(order=order, expected=OUTCOMES[kind])
