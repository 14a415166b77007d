"""The book of effects: one row when an effect is made, one when it is undone, in that order.

Rows are only ever added. The receipts decide what may be made; the book records what was. The
ledger reads only the book, so that an effect made twice shows there, should the receipts fail.
"""

import json
from enum import StrEnum

from sqlalchemy import Column, Connection, Integer, String, Table, Text, insert

from services.database import metadata
from services.wire import Service


class Change(StrEnum):
    """What a row of the book says happened to an effect."""

    MADE = "made"
    UNDONE = "undone"


effects = Table(
    "effects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("service", String(32), nullable=False),
    # Not unique: the book must be able to show that a key was applied twice.
    Column("key", String(512), nullable=False),
    Column("order_id", String(512), nullable=False, index=True),
    Column("change", String(16), nullable=False),
    Column("request", Text, nullable=False),
)

# Built once: SQLAlchemy takes longer to build a statement than SQLite to run it.
_ADD = insert(effects)


def record(
    connection: Connection, change: Change, service: Service, key: str, request: str
) -> None:
    """Add a row for an effect that is made or undone in this very transaction.

    `request` is the body of the call that made it, as JSON text: what was reserved or charged.
    """
    connection.execute(
        _ADD,
        {
            "service": service,
            "key": key,
            "order_id": json.loads(request)["order_id"],
            "change": change,
            "request": request,
        },
    )
