"""The logistics service: have an order or a parcel shipped, or call the shipment off."""

from pydantic import BaseModel

from amends import CircuitBreaker, Refused, activity, context
from tasks import gateway
from tasks.orders import Item
from tasks.pace import COMPENSATION, ONWARD, STEP, paced_wait

_SHIPMENTS = "/shipping/shipments"


class CreateShipment(BaseModel):
    """What to ship where."""

    order_id: str
    items: list[Item]
    shipping_address: str


class ShipParcel(BaseModel):
    """Which parcel of an order to ship where."""

    order_id: str
    parcel_id: str
    items: list[Item]
    shipping_address: str


class Shipment(BaseModel):
    """A shipment that was ordered."""

    shipment_id: str


class UndeliverableAddress(Refused):
    """Nobody can deliver there."""


shipping = CircuitBreaker("shipping", failure_on=gateway.FAILURES, reset_timeout=paced_wait(60.0))
"""There is no other carrier: while it is open, orders wait, and spend no attempt."""


@activity(
    queue="shipping",
    start_to_close_timeout=30.0,
    retry=STEP,
    breaker=shipping,
    on_circuit_open="defer",
)
def create_shipment(request: CreateShipment) -> Shipment:
    """Have an order's items shipped."""
    return _ship(request)


@activity(
    queue="shipping",
    start_to_close_timeout=30.0,
    retry=ONWARD,
    breaker=shipping,
    on_circuit_open="defer",
)
def ship_parcel(request: ShipParcel) -> Shipment:
    """Have a parcel shipped, which is paid for."""
    return _ship(request)


@activity(start_to_close_timeout=30.0, retry=COMPENSATION)
def cancel_shipment(request: CreateShipment, shipment: Shipment | None) -> None:  # noqa: ARG001 - the key says which
    """Call a shipment off; where there was none, see that there will be none."""
    gateway.delete(_SHIPMENTS, context().undoes.idempotency_key)


def _ship(request: CreateShipment | ShipParcel) -> Shipment:
    body = request.model_dump(mode="json", exclude={"shipping_address"})
    answer = gateway.post(
        _SHIPMENTS, {**body, "address": request.shipping_address}, refusals=(UndeliverableAddress,)
    )
    return Shipment.model_validate(answer)
