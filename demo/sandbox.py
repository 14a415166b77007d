"""The sandbox services, as the demo sets them up and reads them."""

import contextlib
from collections.abc import Iterator, Mapping

import httpx

from demo.ledger import LedgerEntry

# Proportionate: three attempts at the primary channel fail for about one order in six, which then pays through the
# fallback; nothing else is bad enough to change an outcome.
FAULTS: Mapping[str, Mapping[str, float]] = {
    "inventory": {"latency": 0.02, "lost_reply_rate": 0.05},
    "payments.primary": {"error_rate": 0.3, "lost_reply_rate": 0.35, "lost_undo_reply_rate": 0.1},
    "shipping": {"latency": 0.05},
    "notifications": {"error_rate": 0.3},
}


def set_stock(services: httpx.Client, stock: Mapping[str, int]) -> None:
    """Set the stock of each product."""
    for product, quantity in stock.items():
        answer = services.put(f"/inventory/stock/{product}", json={"quantity": quantity})
        answer.raise_for_status()


@contextlib.contextmanager
def faults_switched_on(
    services: httpx.Client, faults: Mapping[str, Mapping[str, float]] = FAULTS
) -> Iterator[None]:
    """Have these faults (default: the demo's), and no others, while the context is open, and none after it."""
    services.delete("/faults").raise_for_status()
    for service, switched_on in faults.items():
        services.put(f"/faults/{service}", json=switched_on).raise_for_status()
    try:
        yield
    finally:
        # Services that are gone have no faults to switch off.
        with contextlib.suppress(httpx.TransportError):
            services.delete("/faults").raise_for_status()


def read_ledger(services: httpx.Client) -> dict[str, LedgerEntry]:
    """Return the ledger: an entry per order id, none for an order that never had an effect."""
    answer = services.get("/ledger").raise_for_status()
    entries = [LedgerEntry.model_validate(entry) for entry in answer.json()]
    return {entry.order_id: entry for entry in entries}
