"""Orders through the running system: ``python -m demo.demo``.

``make demo`` runs this against a system of its own; with the addresses of another one in the environment
(``. .run/env`` beside ``make up``) it runs against that. ``ORDERS`` says how many.
"""

import os
import secrets
import signal
import sys
import time
from collections.abc import Mapping

import httpx
from rich.console import Console

from amends import SagaError
from demo.errors import LocalError
from demo.ledger import LedgerEntry
from demo.plan import PlannedOrder, plan_orders, stock_for
from demo.report import OrderRecord, print_report
from demo.sandbox import faults_switched_on, read_ledger, set_stock
from demo.watching import Handle, Snapshot, await_rest
from sagas.order import order_saga
from tasks.orders import Order

DEFAULT_ORDERS = 40
# Time to end in: a start, and a share per order. Nobody waits for it unless something is wrong.
PATIENCE = 60.0
PATIENCE_PER_ORDER = 1.0


def main(environment: Mapping[str, str], console: Console) -> int:
    """Place the orders, wait for them, and judge them; return the exit code."""
    count = _count(environment.get("ORDERS") or str(DEFAULT_ORDERS))
    # A name of its own for every run: the log may be one that outlives the run, and an id that it knows starts nothing.
    orders = plan_orders(count, series=secrets.token_hex(2))
    with httpx.Client(base_url=environment["SERVICES_URL"], timeout=30.0) as services:
        set_stock(services, stock_for(count))
        began = time.monotonic()
        with faults_switched_on(services):
            handles = {order.order_id: place(order) for order in orders}
            console.print(f"{count} orders placed; meanwhile the services fail and lose replies")
            await_rest(handles, timeout=PATIENCE + PATIENCE_PER_ORDER * count, console=console)
        elapsed = time.monotonic() - began
        ledger = read_ledger(services)
    records = [record_of(order, handles[order.order_id].snapshot(), ledger) for order in orders]
    return 0 if print_report(records, elapsed=elapsed, console=console) else 1


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise LocalError(f"ORDERS={text!r}: give the number of orders to place, 1 or more")
    return int(text)


def place(order: PlannedOrder) -> Handle:
    """Start the saga of an order."""
    return order_saga.start(Order.model_validate(order.fields()), saga_id=order.order_id)


def record_of(
    order: PlannedOrder, snapshot: Snapshot, ledger: Mapping[str, LedgerEntry]
) -> OrderRecord:
    """Put together what was planned, what the saga says, and what the ledger says."""
    payment = snapshot.steps["process_payment"]
    return OrderRecord(
        order=order,
        status=snapshot.status,
        outcome=snapshot.outcome,
        entry=ledger.get(order.order_id) or LedgerEntry(order_id=order.order_id),
        undone=tuple(name for name, step in snapshot.steps.items() if step.state == "compensated"),
        channel=payment.channel if payment.state == "done" else None,
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(os.environ, Console(highlight=False)))
    except (LocalError, SagaError, httpx.HTTPError) as error:
        sys.exit(f"error: {error}")
