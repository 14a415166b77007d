"""Payments: two channels, primary and fallback, that charge and void independently.

A channel knows nothing of the other: that an order is charged over one of them only is the
caller's task, and the ledger's to tell.
"""

import re
from decimal import Decimal
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from services.errors import ServiceError
from services.receipts import Call, apply_once, find_effect, undo_once
from services.wire import (
    IdempotencyKey,
    OpenDatabase,
    OrderRequest,
    PathKey,
    Service,
    Text,
    Undone,
)

router = APIRouter(prefix="/payments", tags=["payments"])

_PLAIN_DECIMAL = r"\d{1,16}(\.\d{1,2})?"


class Channel(StrEnum):
    """A way to charge."""

    PRIMARY = "primary"
    FALLBACK = "fallback"


_SERVICES = {
    Channel.PRIMARY: Service.PAYMENTS_PRIMARY,
    Channel.FALLBACK: Service.PAYMENTS_FALLBACK,
}


def _only_text(value: object) -> object:
    # A JSON number is a float to most of those who read it, and 0.1 is none.
    if not isinstance(value, str) or not re.fullmatch(_PLAIN_DECIMAL, value, re.ASCII):
        raise ValueError('money is a string such as "19.99", with two decimals at most')
    return value


Money = Annotated[
    Decimal,
    BeforeValidator(_only_text),
    Field(gt=0),
    WithJsonSchema({"type": "string", "pattern": f"^{_PLAIN_DECIMAL}$", "examples": ["19.99"]}),
]


class ChargeRequest(OrderRequest):
    """Charge a user for an order."""

    user_id: Text
    amount: Money
    currency: str = Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])


class Charge(BaseModel):
    """The answer to a charge."""

    transaction_id: str


@router.post("/{channel}/charges", status_code=HTTPStatus.CREATED)
def charge(
    channel: Channel, request: ChargeRequest, key: IdempotencyKey, database: OpenDatabase
) -> Charge:
    """Charge the user; 402 InsufficientFunds or InvalidPaymentMethod."""
    call = Call.for_order(_SERVICES[channel], key, request)
    answer = {"transaction_id": f"transaction-{uuid4().hex}"}
    with database.write() as connection:
        first = apply_once(connection, call, answer, lambda: check_funds(request.user_id))
    return Charge.model_validate(first)


@router.get("/{channel}/charges/{key:path}")
def find_charge(channel: Channel, key: PathKey, database: OpenDatabase) -> dict[str, Any]:
    """Show the charge made under this key and whether it is in force; 404 without one."""
    with database.read() as connection:
        return find_effect(connection, _SERVICES[channel], key)


@router.delete("/{channel}/charges/{key:path}")
def refund(channel: Channel, key: PathKey, database: OpenDatabase) -> Undone:
    """Pay the charge back, once; without one, see to it that none will be made."""
    with database.write() as connection:
        undo_once(connection, _SERVICES[channel], key)
    return Undone(key=key)


def check_funds(user_id: str) -> None:
    """Refuse a user without funds or with an invalid payment method. Raises ServiceError."""
    if user_id.startswith("poor-"):
        raise ServiceError(
            HTTPStatus.PAYMENT_REQUIRED, "InsufficientFunds", f"{user_id!r} has no funds."
        )
    if user_id.startswith("expired-"):
        raise ServiceError(
            HTTPStatus.PAYMENT_REQUIRED,
            "InvalidPaymentMethod",
            f"The payment method of {user_id!r} has expired.",
        )
