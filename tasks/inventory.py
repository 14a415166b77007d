"""The inventory service: reserve what an order or a parcel needs, or release it."""

from typing import Final

from pydantic import BaseModel

from amends import Refused, activity, context
from tasks import gateway
from tasks.orders import Item
from tasks.pace import COMPENSATION, STEP

_RESERVATIONS = "/inventory/reservations"

GIFT_WRAP: Final = "gift-wrap"
"""The product that a gift takes one unit of."""


class ReserveInventory(BaseModel):
    """What to reserve for an order: all of it, or nothing."""

    order_id: str
    items: list[Item]


class Reservation(BaseModel):
    """What is set aside for an order."""

    reservation_id: str


class InsufficientStock(Refused):
    """There is not enough of a product."""


@activity(queue="inventory", start_to_close_timeout=30.0, retry=STEP)
def reserve_inventory(request: ReserveInventory) -> Reservation:
    """Set an order's items aside."""
    return _reserve(request)


@activity(start_to_close_timeout=30.0, retry=COMPENSATION)
def release_inventory(request: ReserveInventory, reservation: Reservation | None) -> None:  # noqa: ARG001 - the key says which
    """Give an order's items back; where nothing was reserved, see that nothing will be."""
    gateway.delete(_RESERVATIONS, context().undoes.idempotency_key)


class ReserveParcel(BaseModel):
    """What to reserve in a warehouse for a parcel of an order: all of it, or nothing."""

    order_id: str
    parcel_id: str
    warehouse: str
    items: list[Item]


class WrapGift(BaseModel):
    """The order to wrap as a gift."""

    order_id: str


@activity(queue="inventory", start_to_close_timeout=30.0, retry=STEP)
def reserve_parcel(request: ReserveParcel) -> Reservation:
    """Set a parcel's items aside in its warehouse."""
    return _reserve(request)


@activity(start_to_close_timeout=30.0, retry=COMPENSATION)
def release_parcel(request: ReserveParcel, reservation: Reservation | None) -> None:  # noqa: ARG001 - the key says which
    """Give a parcel's items back; where nothing was reserved, see that nothing will be."""
    gateway.delete(_RESERVATIONS, context().undoes.idempotency_key)


@activity(queue="inventory", start_to_close_timeout=30.0, retry=STEP)
def wrap_gift(request: WrapGift) -> Reservation:
    """Set wrapping aside for an order."""
    item = Item(product_id=GIFT_WRAP, quantity=1)
    return _reserve(
        ReserveParcel(
            order_id=request.order_id, parcel_id=GIFT_WRAP, warehouse=GIFT_WRAP, items=[item]
        )
    )


@activity(start_to_close_timeout=30.0, retry=COMPENSATION)
def unwrap_gift(request: WrapGift, reservation: Reservation | None) -> None:  # noqa: ARG001 - the key says which
    """Give the wrapping back; where none was set aside, see that none will be."""
    gateway.delete(_RESERVATIONS, context().undoes.idempotency_key)


def _reserve(request: ReserveInventory | ReserveParcel) -> Reservation:
    answer = gateway.post(
        _RESERVATIONS, request.model_dump(mode="json"), refusals=(InsufficientStock,)
    )
    return Reservation.model_validate(answer)
