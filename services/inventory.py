"""Inventory: a stock of units per product, and reservations that take units from it.

The stock is what can still be reserved. Setting and listing it is the operator's business: those
two calls need no idempotency key (setting is idempotent) and know no faults.
"""

from collections import Counter
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Column, Connection, String, Table, insert, select, update

from services.database import metadata
from services.errors import ServiceError
from services.receipts import Call, apply_once, find_effect, undo_once
from services.wire import (
    LARGEST_QUANTITY,
    IdempotencyKey,
    Item,
    Items,
    OpenDatabase,
    OrderRequest,
    PathKey,
    Service,
    Undone,
)

router = APIRouter(prefix="/inventory", tags=["inventory"])

stock = Table(
    "stock",
    metadata,
    Column("product_id", String(255), primary_key=True),
    Column("quantity", BigInteger, nullable=False),
)


class Quantity(BaseModel):
    """How many units there are from now on."""

    quantity: int = Field(ge=0, le=LARGEST_QUANTITY, strict=True)


class Stock(BaseModel):
    """The units of one product that can still be reserved."""

    product_id: str
    quantity: int


class ReservationRequest(OrderRequest):
    """Reserve all of these items, or none."""

    items: Items


class Reservation(BaseModel):
    """The answer to a reservation."""

    reservation_id: str


@router.put("/stock/{product_id}")
def set_stock(product_id: str, body: Quantity, database: OpenDatabase) -> Stock:
    """Set how many units can be reserved, on top of those that are."""
    quantity = body.quantity
    with database.write() as connection:
        changed = connection.execute(
            update(stock).where(stock.c.product_id == product_id).values(quantity=quantity)
        )
        if not changed.rowcount:
            connection.execute(insert(stock).values(product_id=product_id, quantity=quantity))
    return Stock(product_id=product_id, quantity=quantity)


@router.get("/stock")
def list_stock(database: OpenDatabase) -> list[Stock]:
    """List what can still be reserved, by product."""
    with database.read() as connection:
        rows = connection.execute(select(stock).order_by(stock.c.product_id)).all()
    return [Stock(product_id=row.product_id, quantity=row.quantity) for row in rows]


@router.post("/reservations", status_code=HTTPStatus.CREATED)
def reserve(
    request: ReservationRequest, key: IdempotencyKey, database: OpenDatabase
) -> Reservation:
    """Take the items from the stock; 409 InsufficientStock when one of them is short."""
    call = Call.for_order(Service.INVENTORY, key, request)
    answer = {"reservation_id": f"reservation-{uuid4().hex}"}
    with database.write() as connection:
        first = apply_once(connection, call, answer, lambda: _take(connection, request.items))
    return Reservation.model_validate(first)


@router.get("/reservations/{key:path}")
def find_reservation(key: PathKey, database: OpenDatabase) -> dict[str, Any]:
    """Show the reservation made under this key and whether it is in force; 404 without one."""
    with database.read() as connection:
        return find_effect(connection, Service.INVENTORY, key)


@router.delete("/reservations/{key:path}")
def release(key: PathKey, database: OpenDatabase) -> Undone:
    """Put the reservation's units back, once; without one, see to it that none will be made."""
    with database.write() as connection:
        undo_once(
            connection,
            Service.INVENTORY,
            key,
            lambda made: _put_back(connection, ReservationRequest.model_validate(made).items),
        )
    return Undone(key=key)


def _take(connection: Connection, items: tuple[Item, ...]) -> None:
    for product_id, quantity in _units(items):
        taken = connection.execute(
            update(stock)
            .where(stock.c.product_id == product_id, stock.c.quantity >= quantity)
            .values(quantity=stock.c.quantity - quantity)
        )
        if not taken.rowcount:
            raise ServiceError(
                HTTPStatus.CONFLICT,
                "InsufficientStock",
                f"Fewer than {quantity} units of {product_id!r} are in stock; nothing is reserved.",
            )


def _put_back(connection: Connection, items: tuple[Item, ...]) -> None:
    for product_id, quantity in _units(items):
        connection.execute(
            update(stock)
            .where(stock.c.product_id == product_id)
            .values(quantity=stock.c.quantity + quantity)
        )


def _units(items: tuple[Item, ...]) -> list[tuple[str, int]]:
    """Sum the lines per product, in an order in which two orders cannot lock each other out."""
    units: Counter[str] = Counter()
    for item in items:
        units[item.product_id] += item.quantity
    return sorted(units.items())
