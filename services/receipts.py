"""The idempotent receiver: every effect once per key, undone once, and never made after its undo.

A receipt stands for a key: what was asked and answered under it, and its state.

    (no receipt) --POST--> in_force --DELETE--> undone
    (no receipt) --DELETE--> tombstone

It is written in the transaction that makes the effect. A refusal leaves no receipt, since it
did nothing: repeated under the same key it is judged anew, and may succeed after restocking.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Self, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    String,
    Table,
    Text,
    and_,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from services.database import metadata
from services.effects import Change, record
from services.errors import ServiceError
from services.wire import OrderRequest, Service

Answer = TypeVar("Answer")
"""Any JSON value: a receipt gives back what it was given."""


class KeyState(StrEnum):
    """What a key stands for."""

    IN_FORCE = "in_force"
    """Its effect was made and holds."""
    UNDONE = "undone"
    """Its effect was made and taken back."""
    TOMBSTONE = "tombstone"
    """It was undone before there was an effect, and there will be none."""


receipts = Table(
    "receipts",
    metadata,
    Column("service", String(32), primary_key=True),
    Column("key", String(512), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("request", Text, nullable=False),
    Column("answer", Text, nullable=False),
)

# Built once: SQLAlchemy takes longer to build a statement than SQLite to run it.
_INSERT = insert(receipts)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call as its receipt remembers it; `request` is its body as canonical JSON.

    Without an `order_id` the call has no effect that the ledger counts.
    """

    service: Service
    key: str
    request: str
    order_id: str | None = None

    @classmethod
    def for_order(cls, service: Service, key: str, request: OrderRequest) -> Self:
        """Make the call from the body of a request that concerns an order."""
        return cls(
            service=service,
            key=key,
            request=canonical(request.model_dump(mode="json", exclude_unset=True)),
            order_id=request.order_id,
        )


def canonical(value: object) -> str:
    """Write JSON so that equal values are equal texts, whatever the order of their fields."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def apply_once(
    connection: Connection,
    call: Call,
    answer: Answer,
    effect: Callable[[], None] = lambda: None,
) -> Answer:
    """Make the effect unless the call's key has made it before; return the first call's answer.

    `effect` checks the business rules and changes the data; what it raises undoes all of it, so
    that the duplicate check comes first and a refusal leaves nothing behind.

    Raises ServiceError: 409 IdempotencyKeyReused, 410 Tombstone.
    """
    earlier = _leave_receipt(connection, call, KeyState.IN_FORCE, answer)
    if earlier is not None:
        first: Answer = _first_answer(earlier, call)
        return first
    effect()
    if call.order_id is not None:
        record(connection, Change.MADE, call.service, call.key, call.request)
    return answer


def undo_once(
    connection: Connection,
    service: Service,
    key: str,
    undo: Callable[[Any], None] = lambda _request: None,
) -> None:
    """Take the key's effect back, or, where there is none, see to it that there never will be.

    `undo` gets the body of the call that made the effect. A second time nothing is done.
    """
    call = Call(service=service, key=key, request="null")
    earlier = _leave_receipt(connection, call, KeyState.TOMBSTONE, None)
    if earlier is None:
        return
    # The condition on the state lets only one of two concurrent undos through on any database.
    moved = connection.execute(
        update(receipts)
        .where(_at(service, key), receipts.c.state == KeyState.IN_FORCE)
        .values(state=KeyState.UNDONE)
    )
    if moved.rowcount:
        undo(json.loads(earlier.request))
        record(connection, Change.UNDONE, service, key, earlier.request)


def find_effect(connection: Connection, service: Service, key: str) -> dict[str, Any]:
    """Return the request, the answer, the key and whether the effect is in force, as one object.

    Raises ServiceError: 404 NotFound where no effect was ever made, tombstone or not.
    """
    receipt = connection.execute(select(receipts).where(_at(service, key))).one_or_none()
    if receipt is None or receipt.state == KeyState.TOMBSTONE:
        raise ServiceError(
            HTTPStatus.NOT_FOUND, "NotFound", f"{service} has made no effect under {key!r}."
        )
    return {
        **json.loads(receipt.request),
        **json.loads(receipt.answer),
        "key": key,
        "in_force": receipt.state == KeyState.IN_FORCE,
    }


def _leave_receipt(
    connection: Connection, call: Call, state: KeyState, answer: object
) -> Row[Any] | None:
    """Insert the key's receipt; return the one that was there before, if any.

    Inserted first and looked up second: of two concurrent calls the database lets one in, and
    the other waits for it, on databases whose writers do not take turns as well.
    """
    receipt = {"service": call.service, "key": call.key, "state": state}
    # The answer keeps its order of fields: a repeat gets the first one to the byte.
    bodies = {"request": call.request, "answer": json.dumps(answer)}
    try:
        with connection.begin_nested():
            connection.execute(_INSERT, {**receipt, **bodies})
    except IntegrityError:
        return connection.execute(select(receipts).where(_at(call.service, call.key))).one()
    return None


def _first_answer(earlier: Row[Any], call: Call) -> Any:
    if earlier.state != KeyState.IN_FORCE:
        raise ServiceError(
            HTTPStatus.GONE,
            "Tombstone",
            f"{call.key!r} was undone at {call.service}: nothing is done under it any more.",
        )
    if earlier.request != call.request:
        raise ServiceError(
            HTTPStatus.CONFLICT,
            "IdempotencyKeyReused",
            f"{call.key!r} came to {call.service} before, with another body: use a key per call.",
        )
    return json.loads(earlier.answer)


def _at(service: Service, key: str) -> ColumnElement[bool]:
    return and_(receipts.c.service == service, receipts.c.key == key)
