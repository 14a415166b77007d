"""What the services say of each order, and whether that fits the saga's outcome."""

from collections.abc import Iterator
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from demo.plan import PlannedOrder


class LedgerEntry(BaseModel):
    """What is in force for one order now, and what ever happened: one entry of ``GET /ledger``.

    `reserved` are net units per product, `charged` is the net amount, `duplicates` counts the effects that were
    made more than once. An order of which the services know nothing has the defaults.
    """

    model_config = ConfigDict(frozen=True)

    order_id: str
    reserved: dict[str, int] = {}
    charged: Decimal = Decimal(0)
    charges: int = 0
    refunds: int = 0
    shipments: int = 0
    notifications: int = 0
    duplicates: int = 0


def differences(order: PlannedOrder, outcome: str, entry: LedgerEntry) -> list[str]:
    """Return what does not fit between a saga's outcome and the ledger; nothing if they are consistent.

    A completed order has each of its effects once. Any other has none in force: whatever was done is undone.
    """
    completed = outcome == "completed"
    found = {product: units for product, units in entry.reserved.items() if units}
    expected = {
        "reserved": (order.units if completed else {}, found),
        "charged": (order.total_amount if completed else Decimal(0), entry.charged),
        "charges less refunds": (1 if completed else 0, entry.charges - entry.refunds),
        "shipments": (1 if completed else 0, entry.shipments),
        "duplicates": (0, entry.duplicates),
    }
    return [*_unequal(expected), *_told_twice(entry)]


def _unequal(expected: dict[str, tuple[object, object]]) -> Iterator[str]:
    for what, (wanted, found) in expected.items():
        if wanted != found:
            yield f"{what}: {found}, expected {wanted}"


def _told_twice(entry: LedgerEntry) -> Iterator[str]:
    # Not part of "exactly once or undone": nothing unsends a notification, and one that fails fails no order.
    if entry.notifications > 1:
        yield f"notifications: {entry.notifications}, expected at most 1"
