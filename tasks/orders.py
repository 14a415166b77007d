"""Orders: their shape, and the rules of business that each must keep."""

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from pydantic import AwareDatetime, BaseModel

from amends import Refused, activity
from tasks.money import in_cents
from tasks.pace import STEP

APPROVED_UP_TO: Final = Decimal(500)
"""A fulfilment of a larger amount is looked at by a person."""

_CURRENCY: Final = re.compile(r"[A-Z]{3}")


class Item(BaseModel):
    """So many of a product."""

    product_id: str
    quantity: int


class OrderItem(Item):
    """A line of an order; the price is of one."""

    price: Decimal


class Order(BaseModel):
    """An order as a customer placed it. Only the shape is held here: `validate_order` has the rules."""

    order_id: str
    user_id: str
    items: list[OrderItem]
    total_amount: Decimal
    currency: str = "EUR"
    shipping_address: str


class Parcel(BaseModel):
    """A part of an order: what one warehouse picks and ships."""

    parcel_id: str
    warehouse: str
    items: list[Item]


class Fulfilment(Order):
    """An order with the parcels that it leaves in."""

    parcels: list[Parcel]
    gift: bool = False
    deliver_at: AwareDatetime | None = None


class Validation(BaseModel):
    """What the rules say of an order that they let through."""

    needs_approval: bool


class Approval(BaseModel):
    """What a person says to an order."""

    granted: bool


class AnsweredOrder(BaseModel):
    """An order that a person has looked at."""

    order_id: str
    granted: bool | None


class NotApproved(Refused):
    """A person does not want the order."""


class InvalidOrder(Refused):
    """The order breaks a rule of business."""


@activity(queue="orders", start_to_close_timeout=10.0, retry=STEP)
def validate_order(order: Order) -> None:
    """Hold an order to the rules of business. Calls nobody."""
    _check_order(order)


@activity(queue="orders", start_to_close_timeout=10.0, retry=STEP)
def validate_fulfilment(fulfilment: Fulfilment) -> Validation:
    """Hold an order and its parcels to the rules of business. Calls nobody."""
    _check_order(fulfilment)
    ids = [parcel.parcel_id for parcel in fulfilment.parcels]
    if len({*ids}) != len(ids):
        raise InvalidOrder(f"two parcels have the same id: {', '.join(ids)}")
    packed = _units(item for parcel in fulfilment.parcels for item in parcel.items)
    if packed != _units(fulfilment.items):
        raise InvalidOrder(
            f"the parcels hold {dict(packed)}, the order says {dict(_units(fulfilment.items))}"
        )
    return Validation(needs_approval=fulfilment.total_amount > APPROVED_UP_TO)


@activity(queue="orders", start_to_close_timeout=10.0, retry=STEP)
def check_approval(order: AnsweredOrder) -> None:
    """Go no further with an order that a person does not want. Calls nobody."""
    if not order.granted:
        raise NotApproved(f"{order.order_id} is not approved")


def _units(items: Iterable[Item]) -> Counter[str]:
    units: Counter[str] = Counter()
    for item in items:
        units[item.product_id] += item.quantity
    return units


def _check_order(order: Order) -> None:
    if not order.items:
        raise InvalidOrder("an order needs at least one item")
    for item in order.items:
        if item.quantity < 1:
            raise InvalidOrder(f"{item.product_id}: the quantity is {item.quantity}, not 1 or more")
        if item.price < 0:
            raise InvalidOrder(f"{item.product_id}: the price is {item.price}, below 0")
    total = sum((item.price * item.quantity for item in order.items), Decimal(0))
    if total != order.total_amount:
        raise InvalidOrder(f"the items add up to {total}, the order says {order.total_amount}")
    try:
        in_cents(order.total_amount)
    except ValueError as error:
        raise InvalidOrder(f"the total: {error}") from None
    if not _CURRENCY.fullmatch(order.currency):
        raise InvalidOrder(f"the currency is {order.currency!r}, not one like 'EUR'")
    if not order.user_id.strip():
        raise InvalidOrder("an order needs a user")
    if not order.shipping_address.strip():
        raise InvalidOrder("an order needs a shipping address")
