"""The bank: it sets money aside under an idempotency key, and takes it without looking at keys.

An authorization is an idempotent receiver like the other services. A capture is not: each call takes the money anew.
A caller that got no answer must ask for the captures of its order before it calls again.
"""

from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Column, Integer, String, Table, Text, insert, select

from services.database import metadata
from services.effects import Change, record
from services.payments import ChargeRequest, check_funds
from services.receipts import Call, apply_once, canonical, find_effect, undo_once
from services.wire import IdempotencyKey, OpenDatabase, PathKey, Service, Undone

router = APIRouter(prefix="/bank", tags=["bank"])

captures = Table(
    "captures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("capture_id", String(64), nullable=False, unique=True),
    Column("order_id", String(512), nullable=False, index=True),
    Column("request", Text, nullable=False),
)


class Authorization(BaseModel):
    """The answer to an authorization."""

    authorization_id: str


class Capture(BaseModel):
    """The answer to a capture."""

    capture_id: str


class Captures(BaseModel):
    """Every capture of an order, oldest first."""

    captures: list[Capture]


@router.post("/authorizations", status_code=HTTPStatus.CREATED)
def authorize(request: ChargeRequest, key: IdempotencyKey, database: OpenDatabase) -> Authorization:
    """Set the amount aside; 402 InsufficientFunds or InvalidPaymentMethod."""
    call = Call.for_order(Service.BANK_AUTHORIZATIONS, key, request)
    answer = {"authorization_id": f"authorization-{uuid4().hex}"}
    with database.write() as connection:
        first = apply_once(connection, call, answer, lambda: check_funds(request.user_id))
    return Authorization.model_validate(first)


@router.get("/authorizations/{key:path}")
def find_authorization(key: PathKey, database: OpenDatabase) -> dict[str, Any]:
    """Show the authorization made under this key and whether it is in force; 404 without one."""
    with database.read() as connection:
        return find_effect(connection, Service.BANK_AUTHORIZATIONS, key)


@router.delete("/authorizations/{key:path}")
def void(key: PathKey, database: OpenDatabase) -> Undone:
    """Give up the authorization, once; without one, see to it that none will be made."""
    with database.write() as connection:
        undo_once(connection, Service.BANK_AUTHORIZATIONS, key)
    return Undone(key=key)


@router.post("/captures", status_code=HTTPStatus.CREATED)
def capture(request: ChargeRequest, database: OpenDatabase) -> Capture:
    """Take the amount, at each call anew: an Idempotency-Key is not looked at."""
    capture_id = f"capture-{uuid4().hex}"
    body = canonical(request.model_dump(mode="json", exclude_unset=True))
    row = {"capture_id": capture_id, "order_id": request.order_id, "request": body}
    with database.write() as connection:
        connection.execute(insert(captures), row)
        record(connection, Change.MADE, Service.BANK_CAPTURES, capture_id, body)
    return Capture(capture_id=capture_id)


@router.get("/captures")
def find_captures(order_id: str, database: OpenDatabase) -> Captures:
    """List the captures of an order; an empty list without one."""
    found = select(captures.c.capture_id).where(captures.c.order_id == order_id)
    with database.read() as connection:
        ids = connection.scalars(found.order_by(captures.c.id)).all()
    return Captures(captures=[Capture(capture_id=each) for each in ids])
