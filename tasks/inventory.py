"""The inventory service: reserve what an order needs, or release it."""

from pydantic import BaseModel

from amends import Refused, activity, context
from tasks import gateway
from tasks.orders import Item
from tasks.pace import COMPENSATION, STEP

_RESERVATIONS = "/inventory/reservations"


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
    answer = gateway.post(
        _RESERVATIONS, request.model_dump(mode="json"), refusals=(InsufficientStock,)
    )
    return Reservation.model_validate(answer)


@activity(start_to_close_timeout=30.0, retry=COMPENSATION)
def release_inventory(request: ReserveInventory, reservation: Reservation | None) -> None:  # noqa: ARG001 - the key says which
    """Give an order's items back; where nothing was reserved, see that nothing will be."""
    gateway.delete(_RESERVATIONS, context().undoes.idempotency_key)
