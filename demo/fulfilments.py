"""The fulfilments that the demo places beside its orders, and the outcome that each is made for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from amends import Saga
from demo.orders import PlannedOrder
from sagas.fulfilment import fulfilment_saga
from tasks.inventory import GIFT_WRAP
from tasks.orders import (
    APPROVED_UP_TO,
    Approval,
    Fulfilment,
    Item,
    OrderItem,
    Parcel,
)

SOLD_OUT = "gilded-mirror"
DEAR = "grandfather-clock"
LARGE = "dresser"
PRICES = {
    "rug": Decimal("89.00"),
    "lamp": Decimal("34.50"),
    "vase": Decimal("18.75"),
    LARGE: Decimal("520.00"),
    DEAR: Decimal("1250.00"),
    SOLD_OUT: Decimal("640.00"),
}
WAREHOUSES = {
    "rug": "north",
    "lamp": "south",
    "vase": "harbour",
    LARGE: "harbour",
    DEAR: "south",
    SOLD_OUT: "north",
}
PACKED = ("rug", "lamp", "vase")
UNITS_PER_PARCEL = 3
# Seconds from one gift's day of delivery to the next.
DELIVERED_EVERY = 0.6
OUTCOMES = {
    "fit": "completed",
    "gift": "completed",
    "large": "completed",
    "declined": "not_approved",
    "wrong parcels": "validation_failed",
    "sold out": "out_of_stock",
    "dear": "too_risky",
    "poor": "payment_failed",
}
MIX = (
    *("gift", "large", "dear", "fit", "sold out"),
    *("gift", "declined", "poor", "wrong parcels", "large"),
)


@dataclass(frozen=True, kw_only=True)
class PlannedFulfilment(PlannedOrder):
    """A fulfilment, the outcome that it is made for, and what a person says to it who is asked."""

    saga: ClassVar[Saga[Any, Any]] = fulfilment_saga

    order: Fulfilment
    granted: bool = True

    @property
    def needs_approval(self) -> bool:
        """Whether it waits for a person, if it comes so far."""
        return self.order.total_amount > APPROVED_UP_TO

    @property
    def invoices(self) -> int:
        """How many invoices it is billed with."""
        return 1

    @property
    def units(self) -> dict[str, int]:
        """The units asked for, per product; a gift takes one of wrapping."""
        return {**super().units, **({GIFT_WRAP: 1} if self.order.gift else {})}

    @property
    def shipments(self) -> int:
        """How many shipments it leaves in: one for each parcel."""
        return len(self.order.parcels)

    @property
    def authorizations(self) -> int:
        """How many authorizations its payment needs."""
        return 1


def plan_fulfilments(count: int, *, series: str) -> list[PlannedFulfilment]:
    """Return `count` fulfilments with the ids ``fulfilment-<series>-<n>``."""
    return [_plan(series, number) for number in range(1, count + 1)]


def fulfilment_stock_for(count: int) -> dict[str, int]:
    """Return the stock that `count` fulfilments need, per product."""
    enough = dict.fromkeys((*PRICES, GIFT_WRAP), count * UNITS_PER_PARCEL)
    return {**enough, SOLD_OUT: 0}


def answer_those_that_wait(planned: Iterable[PlannedFulfilment]) -> list[PlannedFulfilment]:
    """Give each fulfilment that waits for a person its answer; return the others, which may be asked about later."""
    left = []
    for each in planned:
        handle = each.saga.get(each.id)
        if handle.snapshot().steps["approval"].state == "waiting":
            said = Approval(granted=each.granted)
            handle.signal("approval", said, id=f"{each.id}-answer", by="the demo")
        elif each.needs_approval:
            left.append(each)
    return left


def _plan(series: str, number: int) -> PlannedFulfilment:
    kind = MIX[(number - 1) % len(MIX)]
    products = [*PACKED[: 1 + number % len(PACKED)]]
    asked_for = {"dear": DEAR, "sold out": SOLD_OUT, "large": LARGE, "declined": LARGE}
    units = {product: 1 + (number + n) % UNITS_PER_PARCEL for n, product in enumerate(products)}
    units |= {asked_for[kind]: 1} if kind in asked_for else {}
    parcels = [
        Parcel(
            parcel_id=f"parcel-{n}",
            warehouse=WAREHOUSES[product],
            items=[Item(product_id=product, quantity=quantity)],
        )
        for n, (product, quantity) in enumerate(units.items(), 1)
    ]
    fulfilment = Fulfilment(
        order_id=f"fulfilment-{series}-{number:04d}",
        user_id=("poor-" if kind == "poor" else "") + f"user-{number:04d}",
        items=[
            OrderItem(product_id=product, quantity=quantity, price=PRICES[product])
            for product, quantity in units.items()
        ],
        total_amount=sum((PRICES[each] * units[each] for each in units), Decimal(0)),
        shipping_address=f"{number} Harbour Street",
        parcels=parcels[:-1] if kind == "wrong parcels" else parcels,
        gift=kind == "gift",
        deliver_at=_day_of(number) if kind == "gift" else None,
    )
    return PlannedFulfilment(order=fulfilment, expected=OUTCOMES[kind], granted=kind != "declined")


def _day_of(number: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=number * DELIVERED_EVERY)
