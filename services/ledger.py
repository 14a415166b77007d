"""The ledger: what holds for each order now, and what ever happened, told from the book of effects.

An effect is a **duplicate** when it was made while another of its kind (reservation, charge over
whichever channel or by the bank, authorization, invoice, shipment, notification) was in force for the same
order, or for the same parcel of it, or under a key that had been applied before. An undo is one when its key had no effect in force. A charge over the fallback
after the primary's was voided is thus none, and one that overlapped it stays one even after a
refund: the customer has been charged twice for a while.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Connection, Row, select

from services.effects import Change, effects
from services.inventory import ReservationRequest
from services.payments import ChargeRequest
from services.wire import OpenDatabase, OrderRequest, Service

router = APIRouter(prefix="/ledger", tags=["ledger"])

_SIGNS = {Change.MADE: 1, Change.UNDONE: -1}

_KINDS = {
    Service.INVENTORY: "reservation",
    Service.PAYMENTS_PRIMARY: "charge",
    Service.PAYMENTS_FALLBACK: "charge",
    Service.BANK_CAPTURES: "charge",
    Service.BANK_AUTHORIZATIONS: "authorization",
    Service.INVOICES: "invoice",
    Service.SHIPPING: "shipment",
    Service.NOTIFICATIONS: "notification",
}


class Entry(BaseModel):
    """One order: `reserved`, `charged`, `authorizations`, `invoices` and `shipments` are net, the others are counted."""

    order_id: str
    reserved: dict[str, int]
    charged: str
    charges: int
    refunds: int
    authorizations: int
    invoices: int
    shipments: int
    notifications: int
    duplicates: int


@router.get("")
def show_ledger(database: OpenDatabase, order_id: str | None = None) -> list[Entry] | Entry:
    """List every order that ever had an effect, or show the one asked for, known or not."""
    with database.read() as connection:
        if order_id is not None:
            return _entry(order_id, _book(connection, order_id))
        book = _book(connection)
    return [_entry(order, list(rows)) for order, rows in groupby(book, lambda row: row.order_id)]


def charges_of(connection: Connection) -> dict[str, Decimal]:
    """Return the net amount of each order that was ever charged."""
    book = groupby(_book(connection), lambda row: row.order_id)
    sums = {order_id: Decimal(_charged(list(rows))) for order_id, rows in book}
    return {order_id: total for order_id, total in sums.items() if total}


def _book(connection: Connection, order_id: str | None = None) -> Sequence[Row[Any]]:
    rows = select(effects).order_by(effects.c.order_id, effects.c.id)
    if order_id is not None:
        rows = rows.where(effects.c.order_id == order_id)
    return connection.execute(rows).all()


def _entry(order_id: str, rows: Sequence[Row[Any]]) -> Entry:
    changes = Counter((_KINDS[row.service], row.change) for row in rows)
    return Entry(
        order_id=order_id,
        reserved=_reserved(rows),
        charged=_charged(rows),
        charges=changes["charge", Change.MADE],
        refunds=changes["charge", Change.UNDONE],
        authorizations=_net(changes, "authorization"),
        invoices=_net(changes, "invoice"),
        shipments=_net(changes, "shipment"),
        notifications=changes["notification", Change.MADE],
        duplicates=_duplicates(rows),
    )


def _net(changes: Counter[tuple[str, Change]], kind: str) -> int:
    return changes[kind, Change.MADE] - changes[kind, Change.UNDONE]


def _reserved(rows: Sequence[Row[Any]]) -> dict[str, int]:
    units: Counter[str] = Counter()
    for row in rows:
        if _KINDS[row.service] == "reservation":
            for item in ReservationRequest.model_validate_json(row.request).items:
                units[item.product_id] += _SIGNS[row.change] * item.quantity
    return {product_id: net for product_id, net in sorted(units.items()) if net}


def _charged(rows: Sequence[Row[Any]]) -> str:
    total = sum(
        (
            _SIGNS[row.change] * ChargeRequest.model_validate_json(row.request).amount
            for row in rows
            if _KINDS[row.service] == "charge"
        ),
        start=Decimal(0),
    )
    return f"{total:.2f}"


def _duplicates(rows: Sequence[Row[Any]]) -> int:
    """Replay the order's effects and count those that should not have been made, or undone."""
    in_force: dict[tuple[Service, str], list[tuple[str, str | None]]] = {}
    applied: set[tuple[Service, str]] = set()
    duplicates = 0
    for row in rows:
        effect = (row.service, row.key)
        if row.change == Change.MADE:
            kind = (_KINDS[row.service], _parcel(row))
            duplicates += effect in applied or any(kind in kinds for kinds in in_force.values())
            applied.add(effect)
            in_force.setdefault(effect, []).append(kind)
        elif in_force.get(effect):
            in_force[effect].pop(0)
        else:
            duplicates += 1
    return duplicates


def _parcel(row: Row[Any]) -> str | None:
    """Return the parcel of the order that an effect is for; None if it is for the whole order."""
    return OrderRequest.model_validate_json(row.request).parcel_id
