"""The sandbox services, as the demo sets them up and reads them."""

import contextlib
from collections.abc import Iterator, Mapping
from decimal import Decimal

import httpx
from pydantic import BaseModel, ConfigDict

Faults = Mapping[str, Mapping[str, float]]
# Nothing of it is bad enough to change an outcome. The primary payment fails too seldom to open its circuit, which
# takes three failures in a row: an outage does that.
FAULTS: Faults = {
    "inventory": {"latency": 0.02, "error_rate": 0.1, "lost_reply_rate": 0.1},
    "payments.primary": {"lost_reply_rate": 0.04, "lost_undo_reply_rate": 0.2},
    "payments.fallback": {"error_rate": 0.1, "lost_reply_rate": 0.1},
    "bank.authorizations": {"error_rate": 0.1, "lost_reply_rate": 0.1},
    "bank.captures": {"error_rate": 0.1, "lost_reply_rate": 0.3},
    "invoices": {"error_rate": 0.1, "lost_reply_rate": 0.1, "lost_undo_reply_rate": 0.1},
    "shipping": {"latency": 0.05, "lost_reply_rate": 0.1, "lost_undo_reply_rate": 0.1},
    "notifications": {"error_rate": 0.3},
}


class LedgerEntry(BaseModel):
    """An order in the services' ledger: one entry of ``GET /ledger``.

    `reserved` are net units per product, `charged` is the net amount, `duplicates` counts the effects that were
    made more than once. An order without any effect has the defaults.
    """

    model_config = ConfigDict(frozen=True)

    order_id: str
    reserved: dict[str, int] = {}
    charged: Decimal = Decimal(0)
    charges: int = 0
    refunds: int = 0
    authorizations: int = 0
    invoices: int = 0
    shipments: int = 0
    notifications: int = 0
    duplicates: int = 0


class Ledger(dict[str, LedgerEntry]):
    """The entries by order id."""

    def __missing__(self, order_id: str) -> LedgerEntry:
        """Return the entry of an order without any effect."""
        return LedgerEntry(order_id=order_id)


def read_ledger(services: httpx.Client) -> Ledger:
    """Return the ledger."""
    answer = services.get("/ledger").raise_for_status()
    entries = [LedgerEntry.model_validate(entry) for entry in answer.json()]
    return Ledger((entry.order_id, entry) for entry in entries)


def set_stock(services: httpx.Client, stock: Mapping[str, int]) -> None:
    """Set the stock of each product."""
    for product, quantity in stock.items():
        path = f"/inventory/stock/{product}"
        services.put(path, json={"quantity": quantity}).raise_for_status()


def set_faults(services: httpx.Client, service: str, faults: Mapping[str, object]) -> None:
    """Give a service these faults, and no others."""
    services.put(f"/faults/{service}", json=faults).raise_for_status()


def count_charges(services: httpx.Client) -> Mapping[str, int]:
    """Return how many charges reached each payment channel, by the services' own count."""
    calls = services.get("/calls").raise_for_status().json()
    return {name: calls[name].get("POST", 0) for name in ("payments.primary", "payments.fallback")}


@contextlib.contextmanager
def faults_switched_on(services: httpx.Client, faults: Faults) -> Iterator[None]:
    """Have these faults, and no others, while the context is open, and none after it."""
    services.delete("/faults").raise_for_status()
    for service, switched_on in faults.items():
        set_faults(services, service, switched_on)
    try:
        yield
    finally:
        # Services that are gone have no faults to switch off.
        with contextlib.suppress(httpx.TransportError):
            services.delete("/faults").raise_for_status()
