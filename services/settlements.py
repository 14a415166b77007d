"""Settlements: what was charged and not settled yet becomes one settlement, once under its key.

A settlement can be reopened: its orders are then in the next one.
"""

from datetime import date
from decimal import Decimal
from http import HTTPStatus
from uuid import uuid4

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Column, Connection, Integer, String, Table, delete, insert, select

from services.database import metadata
from services.errors import ServiceError
from services.ledger import charges_of
from services.wire import IdempotencyKey, OpenDatabase, PathKey, Undone

router = APIRouter(prefix="/settlements", tags=["settlements"])

settlements = Table(
    "settlements",
    metadata,
    Column("key", String(512), primary_key=True),
    Column("settlement_id", String(64), nullable=False, unique=True),
    Column("day", String(10), nullable=False),  # '' of one that was reopened before it came
    Column("orders", Integer, nullable=False),
    Column("charged", String(32), nullable=False),
    Column("is_open", Integer, nullable=False),
)
settled = Table(
    "settled_orders",
    metadata,
    Column("order_id", String(512), primary_key=True),
    Column("key", String(512), nullable=False, index=True),
)


class SettlementRequest(BaseModel):
    """Settle what was charged up to a day's end."""

    day: date


class Settlement(BaseModel):
    """A settlement: how many orders, and what they were charged together."""

    settlement_id: str
    orders: int
    charged: str


class SettlementNow(Settlement):
    """A settlement, and what its orders are charged by the ledger now."""

    in_ledger: str


@router.post("", status_code=HTTPStatus.CREATED)
def settle(request: SettlementRequest, key: IdempotencyKey, database: OpenDatabase) -> Settlement:
    """Settle every order that is charged and in no settlement."""
    with database.write() as connection:
        earlier = connection.execute(select(settlements).where(settlements.c.key == key)).first()
        if earlier is not None:
            if earlier.is_open:
                raise ServiceError(HTTPStatus.GONE, "Tombstone", f"{key!r} was reopened.")
            return Settlement.model_validate(earlier, from_attributes=True)
        known = set(connection.scalars(select(settled.c.order_id)))
        new = {each: sum_ for each, sum_ in charges_of(connection).items() if each not in known}
        total = sum(new.values(), start=Decimal(0))
        made = _add(connection, key, str(request.day), orders=len(new), charged=f"{total:.2f}")
        if new:
            rows = [{"order_id": order_id, "key": key} for order_id in new]
            connection.execute(insert(settled), rows)
        return made


@router.get("/{settlement_id}")
def show(settlement_id: str, database: OpenDatabase) -> SettlementNow:
    """Show a settlement that holds, beside what the ledger says of its orders now; 404 without one."""
    with database.read() as connection:
        found = connection.execute(
            select(settlements).where(settlements.c.settlement_id == settlement_id)
        ).first()
        if found is None or found.is_open:
            raise ServiceError(HTTPStatus.NOT_FOUND, "NotFound", f"There is no {settlement_id!r}.")
        charges = charges_of(connection)
        own = connection.scalars(select(settled.c.order_id).where(settled.c.key == found.key))
        total = sum((charges.get(each, Decimal(0)) for each in own), start=Decimal(0))
    return SettlementNow(
        settlement_id=settlement_id,
        orders=found.orders,
        charged=found.charged,
        in_ledger=f"{total:.2f}",
    )


@router.delete("/{key:path}")
def reopen(key: PathKey, database: OpenDatabase) -> Undone:
    """Take a settlement back, once; without one, see to it that none will be made."""
    with database.write() as connection:
        connection.execute(delete(settled).where(settled.c.key == key))
        of_key = settlements.c.key == key
        if connection.execute(select(settlements).where(of_key)).first() is None:
            _add(connection, key, "", is_open=True)
        else:
            connection.execute(settlements.update().where(of_key).values(is_open=1))
    return Undone(key=key)


def _add(
    connection: Connection,
    key: str,
    day: str,
    *,
    orders: int = 0,
    charged: str = "0.00",
    is_open: bool = False,
) -> Settlement:
    made = Settlement(settlement_id=f"settlement-{uuid4().hex}", orders=orders, charged=charged)
    row = {**made.model_dump(), "key": key, "day": day, "is_open": int(is_open)}
    connection.execute(insert(settlements), row)
    return made
