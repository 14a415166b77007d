"""An outage of the primary payment, and what its circuit breaker makes of it: ``python -m demo.outage``.

``make demo-breaker`` runs this against a system of its own. Orders are placed all the time; the primary is taken
down, and comes back. The table has a line for each second: what reached the services by their own count, what the
circuit kept from them, and which channel served.
"""

import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx
from rich import box
from rich.console import Console
from rich.table import Table

from amends import SagaError
from amends.breaker.snapshot import CircuitEvent
from amends.log.history import Event
from demo.demo import place, record_of
from demo.errors import LocalError
from demo.plan import PlannedOrder, plan_orders, stock_for
from demo.report import print_report
from demo.sandbox import read_ledger, set_stock
from demo.watching import await_rest
from sagas.order import order_saga
from tasks.payment import primary

DOWN_AFTER = 4.0
UP_AGAIN_AFTER = 14.0
ENDS_AFTER = 22.0
ORDERS_PER_SECOND = 4
PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Second:
    """One second of the run: how the primary and its circuit were at its end, and the calls that came in it."""

    at: float
    is_down: bool
    circuit: str
    charges: Mapping[str, int]


def main(environment: Mapping[str, str], console: Console) -> int:
    """Place orders through the outage, print the tables, and return the exit code."""
    with httpx.Client(base_url=environment["SERVICES_URL"], timeout=30.0) as services:
        services.delete("/faults").raise_for_status()
        orders = _orders()
        set_stock(services, stock_for(len(orders)))
        primary.reset(by="the demo", why="to begin closed")
        began = time.time()
        seconds = list(_through_the_outage(services, orders, console))
        handles = {order.order_id: order_saga.get(order.order_id) for order in orders}
        await_rest(handles, timeout=PATIENCE, console=console)
        ledger = read_ledger(services)
    histories = [event for handle in handles.values() for event in handle.history()]
    moves = [event for event in primary.history() if event.at >= began]
    console.print(_timeline(seconds, histories, moves, began))
    for move in moves:
        console.print(f"{move.at - began:5.1f} s  {move.name}  {move.why}", soft_wrap=True)
    records = [record_of(order, handles[order.order_id].snapshot(), ledger) for order in orders]
    is_consistent = print_report(records, elapsed=time.time() - began, console=console)
    return 0 if is_consistent and _has_opened_and_closed(moves) else 1


def _orders() -> list[PlannedOrder]:
    wanted = (
        int(ENDS_AFTER - 1) * ORDERS_PER_SECOND
    )  # in its last second the others come to their end
    planned = plan_orders(wanted * 2, series=secrets.token_hex(2))
    return [order for order in planned if order.expected == "completed"][:wanted]


def _through_the_outage(
    services: httpx.Client, orders: Sequence[PlannedOrder], console: Console
) -> Iterator[Second]:
    """Place the orders, take the primary down and up again, and yield each second."""
    began, placed, is_down, before = time.monotonic(), iter(orders), False, _calls(services)
    console.print(
        f"{len(orders)} orders, {ORDERS_PER_SECOND} a second; the primary payment is down from"
        f" {DOWN_AFTER:.0f} s to {UP_AGAIN_AFTER:.0f} s"
    )
    for second in range(1, int(ENDS_AFTER) + 1):
        wants_down = DOWN_AFTER < second <= UP_AGAIN_AFTER
        if wants_down != is_down:
            is_down = wants_down
            faults = {"down": is_down}
            services.put("/faults/payments.primary", json=faults).raise_for_status()
        for part in range(1, ORDERS_PER_SECOND + 1):
            if order := next(placed, None):
                place(order)
            pause = began + second - 1 + part / ORDERS_PER_SECOND - time.monotonic()
            time.sleep(max(0.0, pause))
        now = _calls(services)
        yield Second(
            at=time.time(),
            is_down=is_down,
            circuit=str(primary.state),
            charges={
                channel: now[channel]["POST"] - before[channel]["POST"]
                for channel in ("payments.primary", "payments.fallback")
            },
        )
        before = now


def _calls(services: httpx.Client) -> dict[str, Counter[str]]:
    answer = services.get("/calls").raise_for_status()
    return {service: Counter(counts) for service, counts in answer.json().items()}


def _timeline(
    seconds: Sequence[Second],
    history: Sequence[Event],
    moves: Sequence[CircuitEvent],
    began: float,
) -> Table:
    """Draw a line for each second, and one that adds them up."""
    lines, since = [], began
    for second in seconds:
        here = [event for event in history if since <= event.at < second.at]
        paid = Counter(event.record for event in here if event.name == "step.completed")
        counts = (
            second.charges["payments.primary"],
            sum(map(_is_rejected, here)),
            second.charges["payments.fallback"],
            paid["process_payment"],
            paid["process_payment:fallback"],
        )
        circuit = circuit_in(second, [move.name for move in moves if since <= move.at < second.at])
        lines.append(("down" if second.is_down else "up", circuit, counts))
        since = second.at
    totals = map(sum, zip(*(counts for _, _, counts in lines), strict=True))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_footer=True, caption=_CAPTION)
    for heading, footer in (("s", ""), ("primary", ""), ("its circuit", "in all")):
        table.add_column(heading, footer=footer, justify="right", no_wrap=True)
    for heading, total in zip(_COUNTED, totals, strict=True):
        table.add_column(heading, footer=str(total), justify="right")
    for number, (state, circuit, counts) in enumerate(lines, 1):
        table.add_row(str(number), state, circuit, *map(str, counts))
    return table


# As narrow as a terminal of 80 columns.
_COUNTED = ("calls", "kept\naway", "fallback\ncalls", "paid by\nprimary", "paid by\nfallback")
_CAPTION = (
    "calls: charges that reached the primary; kept away: those that its circuit let not through, for the"
    " fallback; probed: one call was let through to see whether the primary is back"
)
_MOVES = {"half_opened": "probed"}


def circuit_in(second: Second, moves: Sequence[str]) -> str:
    """Tell what became of the circuit in a second: its moves in their order, or how it was where it had none."""
    names = [move.removeprefix("breaker.") for move in moves]
    return ", ".join(_MOVES.get(name, name) for name in names) or second.circuit


def _is_rejected(event: Event) -> bool:
    error = event.details.get("error") or {}
    return event.name == "step.failed" and error.get("type") == "CircuitOpenError"


def _has_opened_and_closed(moves: Sequence[CircuitEvent]) -> bool:
    names = [move.name for move in moves]
    return "breaker.opened" in names and names[-1] == "breaker.closed"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(os.environ, Console(highlight=False)))
    except (LocalError, SagaError, httpx.HTTPError) as error:
        sys.exit(f"error: {error}")
