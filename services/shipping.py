"""Shipping: shipments to an address, which can be recalled."""

from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import APIRouter
from pydantic import BaseModel

from services.errors import ServiceError
from services.receipts import Call, apply_once, find_effect, undo_once
from services.wire import (
    IdempotencyKey,
    Items,
    OpenDatabase,
    OrderRequest,
    PathKey,
    Service,
    Text,
    Undone,
)

router = APIRouter(prefix="/shipping", tags=["shipping"])


class ShipmentRequest(OrderRequest):
    """Send these items to this address."""

    items: Items
    address: Text


class Shipment(BaseModel):
    """The answer to a shipment."""

    shipment_id: str


@router.post("/shipments", status_code=HTTPStatus.CREATED)
def ship(request: ShipmentRequest, key: IdempotencyKey, database: OpenDatabase) -> Shipment:
    """Send the items; 422 UndeliverableAddress."""
    call = Call.for_order(Service.SHIPPING, key, request)
    answer = {"shipment_id": f"shipment-{uuid4().hex}"}
    with database.write() as connection:
        first = apply_once(connection, call, answer, lambda: _check_address(request.address))
    return Shipment.model_validate(first)


@router.get("/shipments/{key:path}")
def find_shipment(key: PathKey, database: OpenDatabase) -> dict[str, Any]:
    """Show the shipment made under this key and whether it is in force; 404 without one."""
    with database.read() as connection:
        return find_effect(connection, Service.SHIPPING, key)


@router.delete("/shipments/{key:path}")
def recall(key: PathKey, database: OpenDatabase) -> Undone:
    """Call the shipment back, once; without one, see to it that none will be made."""
    with database.write() as connection:
        undo_once(connection, Service.SHIPPING, key)
    return Undone(key=key)


def _check_address(address: str) -> None:
    if "Nowhere" in address:
        raise ServiceError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "UndeliverableAddress",
            f"Nobody delivers to {address!r}.",
        )
