"""The fulfilments that the demo places beside its orders, and the outcome that each is made for."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from amends import Saga
from demo.orders import PlannedOrder
from sagas.fulfilment import fulfilment_saga
from tasks.inventory import GIFT_WRAP
from tasks.orders import Fulfilment, Item, OrderItem, Parcel

SOLD_OUT = "gilded-mirror"
DEAR = "grandfather-clock"
PRICES = {
    "rug": Decimal("89.00"),
    "lamp": Decimal("34.50"),
    "vase": Decimal("18.75"),
    DEAR: Decimal("1250.00"),
    SOLD_OUT: Decimal("640.00"),
}
WAREHOUSES = {"rug": "north", "lamp": "south", "vase": "harbour", DEAR: "south", SOLD_OUT: "north"}
PACKED = ("rug", "lamp", "vase")
UNITS_PER_PARCEL = 3
OUTCOMES = {
    "fit": "completed",
    "gift": "completed",
    "wrong parcels": "validation_failed",
    "sold out": "out_of_stock",
    "dear": "too_risky",
    "poor": "payment_failed",
}
MIX = ("gift", "fit", "dear", "fit", "sold out", "gift", "poor", "fit", "wrong parcels", "fit")


@dataclass(frozen=True, kw_only=True)
class PlannedFulfilment(PlannedOrder):
    """A fulfilment, and the outcome that it is made for."""

    saga: ClassVar[Saga[Any, Any]] = fulfilment_saga

    order: Fulfilment

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


def _plan(series: str, number: int) -> PlannedFulfilment:
    kind = MIX[(number - 1) % len(MIX)]
    products = [*PACKED[: 1 + number % len(PACKED)]]
    products += {"dear": [DEAR], "sold out": [SOLD_OUT]}.get(kind, [])
    units = {product: 1 + (number + n) % UNITS_PER_PARCEL for n, product in enumerate(products)}
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
    )
    return PlannedFulfilment(order=fulfilment, expected=OUTCOMES[kind])
