"""Which orders the demo places, and which outcome each is made for."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from itertools import cycle, islice
from typing import Any

SOLD_OUT = "gilded-teapot"
PRICES = {
    "teapot": Decimal("24.90"),
    "cup": Decimal("7.50"),
    "tray": Decimal("18.00"),
    SOLD_OUT: Decimal("990.00"),
}
# Enough of everything for any number of orders; nothing of what is sold out.
UNITS_PER_ORDER = 6


@dataclass(frozen=True, kw_only=True)
class OrderLine:
    """So many units of one product."""

    product_id: str
    quantity: int
    price: Decimal


@dataclass(frozen=True, kw_only=True)
class PlannedOrder:
    """One order, field by field as the saga takes it, and the outcome it is made for."""

    order_id: str
    user_id: str
    items: tuple[OrderLine, ...]
    total_amount: Decimal
    shipping_address: str
    currency: str = "EUR"
    expected: str = "completed"

    @property
    def units(self) -> dict[str, int]:
        """The units asked for, per product."""
        return {line.product_id: line.quantity for line in self.items}

    def fields(self) -> dict[str, Any]:
        """Return what the saga takes, which is not told what to make of it."""
        fields = asdict(self)
        del fields["expected"]
        return fields


def plan_orders(count: int, *, series: str) -> list[PlannedOrder]:
    """Return `count` orders, ``order-<series>-<n>``: half are fit to complete, the others fail in every way."""
    return [kind(_fit(series, number)) for number, kind in enumerate(_kinds(count), start=1)]


def stock_for(count: int) -> dict[str, int]:
    """Return the stock that `count` orders need, per product."""
    return {product: 0 if product == SOLD_OUT else count * UNITS_PER_ORDER for product in PRICES}


def _kinds(count: int) -> Iterator[Callable[[PlannedOrder], PlannedOrder]]:
    mix = (_same, _wrong_total, _same, _sold_out, _same, _poor, _same, _expired, _same, _nowhere)
    return islice(cycle(mix), count)


def _fit(series: str, number: int) -> PlannedOrder:
    quantity = 1 + number % 3
    lines = (_line("teapot", 1), _line("cup", 2 * quantity), _line("tray", quantity))
    items = lines[: 1 + number % len(lines)]
    return PlannedOrder(
        order_id=f"order-{series}-{number:04d}",
        user_id=f"user-{number:04d}",
        items=items,
        total_amount=_total(items),
        shipping_address=f"{number} Harbour Street",
    )


def _line(product: str, quantity: int) -> OrderLine:
    return OrderLine(product_id=product, quantity=quantity, price=PRICES[product])


def _total(items: tuple[OrderLine, ...]) -> Decimal:
    return sum((line.price * line.quantity for line in items), start=Decimal(0))


def _same(order: PlannedOrder) -> PlannedOrder:
    return order


def _wrong_total(order: PlannedOrder) -> PlannedOrder:
    wrong = order.total_amount + Decimal("0.01")
    return replace(order, total_amount=wrong, expected="validation_failed")


def _sold_out(order: PlannedOrder) -> PlannedOrder:
    items = (*order.items, _line(SOLD_OUT, 1))
    return replace(order, items=items, total_amount=_total(items), expected="out_of_stock")


def _poor(order: PlannedOrder) -> PlannedOrder:
    return replace(order, user_id=f"poor-{order.user_id}", expected="payment_failed")


def _expired(order: PlannedOrder) -> PlannedOrder:
    return replace(order, user_id=f"expired-{order.user_id}", expected="payment_failed")


def _nowhere(order: PlannedOrder) -> PlannedOrder:
    return replace(order, shipping_address="1 Nowhere", expected="shipment_failed")
