"""What several services share on the wire: their names, order lines, keys, the database."""

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from services.database import Database
from services.errors import ServiceError

LARGEST_QUANTITY = 1_000_000_000
"""Units in one line or in stock; sums of it fit any database's integer."""

Text = Annotated[str, Field(min_length=1)]


class Service(StrEnum):
    """The services as faults and receipts name them; each payment channel is one, and each half of the bank."""

    INVENTORY = "inventory"
    PAYMENTS_PRIMARY = "payments.primary"
    PAYMENTS_FALLBACK = "payments.fallback"
    BANK_AUTHORIZATIONS = "bank.authorizations"
    BANK_CAPTURES = "bank.captures"
    INVOICES = "invoices"
    SHIPPING = "shipping"
    NOTIFICATIONS = "notifications"
    EXTERNAL = "external"


class OrderRequest(BaseModel):
    """A request made for one order.

    Fields that a service does not know are let through, and kept: a newer caller may send more,
    and two bodies under one key are compared with everything in them.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    order_id: Text
    parcel_id: Text | None = Field(
        default=None, description="A part of the order that has effects of its own."
    )


class Item(BaseModel):
    """So many units of one product."""

    model_config = ConfigDict(frozen=True, extra="allow")

    product_id: Text
    quantity: int = Field(gt=0, le=LARGEST_QUANTITY, strict=True)


Items = Annotated[tuple[Item, ...], Field(min_length=1)]


class Undone(BaseModel):
    """The answer to DELETE: whatever there was under the key is not in force now."""

    key: str
    in_force: bool = False


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(description="Stays the same when the call is repeated. Required."),
    ] = None,
) -> str:
    # Not declared as required, for that would be a 422, which means an invalid body.
    if not idempotency_key:
        raise ServiceError(
            HTTPStatus.BAD_REQUEST,
            "MissingIdempotencyKey",
            "Every POST needs an Idempotency-Key header that stays the same when it is repeated.",
        )
    return idempotency_key


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


# Both dependencies are async only to save the hop to another thread that a sync one costs.
IdempotencyKey = Annotated[str, Depends(_idempotency_key)]
OpenDatabase = Annotated[Database, Depends(_database)]

# Mounted as ``{key:path}``: a key may hold colons, dots and even slashes.
PathKey = Annotated[str, Path(min_length=1, description="The effect's idempotency key.")]
