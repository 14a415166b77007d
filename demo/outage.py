"""An outage of the primary payment, and its circuit breaker meanwhile: ``make demo-breaker``.

Orders are placed all the time; the primary is taken down, and comes back. The table has a line for each second: the
charges that reached the services by their own count, those that the circuit rejected, and the channel that served.
"""

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx
from rich import box
from rich.console import Console
from rich.table import Table

from amends.breaker.snapshot import CircuitEvent
from amends.log.history import Event
from demo.orders import PlannedOrder, plan_orders, stock_for
from demo.report import is_rejected, print_report
from demo.run import await_rest
from demo.sandbox import count_charges, read_ledger, set_faults, set_stock
from demo.system import System
from sagas.order import order_saga
from tasks.payment import primary

DOWN_AFTER = 4
UP_AGAIN_AFTER = 14
ENDS_AFTER = 22
ORDERS_PER_SECOND = 4
PATIENCE = 60.0
# As narrow as a terminal of 80 columns.
COUNTED = ("calls", "kept\naway", "fallback\ncalls", "paid by\nprimary", "paid by\nfallback")
CAPTION = (
    "calls: charges that reached the primary; kept away: those that its circuit rejected, for the"
    " fallback; probed: one call was let through to see whether the primary is back"
)
MOVES = {"breaker.half_opened": "probed"}


@dataclass(frozen=True, kw_only=True)
class Second:
    """One second of the run: the primary and its circuit at its end, and the charges by channel in it."""

    began: float
    ended: float
    is_down: bool
    circuit: str
    charges: Mapping[str, int]

    def has(self, event: Event | CircuitEvent) -> bool:
        """Return whether an event fell into it."""
        return self.began <= event.at < self.ended


def run_outage(system: System, console: Console) -> bool:
    """Place orders through the outage, and print the tables; return whether the circuit and the orders are right."""
    with httpx.Client(base_url=system.urls["SERVICES_URL"], timeout=30.0) as services:
        services.delete("/faults").raise_for_status()
        orders = _orders()
        set_stock(services, stock_for(len(orders)))
        primary.reset(by="the demo", why="to begin closed")
        console.print(
            f"{len(orders)} orders, {ORDERS_PER_SECOND} a second; the primary payment is down from"
            f" {DOWN_AFTER} s to {UP_AGAIN_AFTER} s"
        )
        began = time.time()
        seconds = list(_through_the_outage(services, orders))
        handles = {each.id: order_saga.get(each.id) for each in orders}
        await_rest(handles, timeout=PATIENCE, console=console, check=system.check)
        ledger = read_ledger(services)
    history = [event for handle in handles.values() for event in handle.history()]
    moves = [event for event in primary.history() if event.at >= began]
    console.print(timeline(seconds, history, moves))
    for move in moves:
        console.print(f"{move.at - began:5.1f} s  {move.name}  {move.why}")
    elapsed = time.time() - began
    is_consistent = print_report(orders, handles, ledger, elapsed=elapsed, console=console)
    if not has_opened_and_closed([move.name for move in moves]):
        console.print("THE CIRCUIT did not open, or is not closed in the end", style="bold red")
        return False
    return is_consistent


def has_opened_and_closed(moves: Sequence[str]) -> bool:
    """Return whether a circuit opened, and was closed in the end."""
    return "breaker.opened" in moves and moves[-1] == "breaker.closed"


def _orders() -> list[PlannedOrder]:
    wanted = (ENDS_AFTER - 1) * ORDERS_PER_SECOND  # in its last second the others come to their end
    planned = plan_orders(wanted * 2, series=secrets.token_hex(2))
    return [order for order in planned if order.expected == "completed"][:wanted]


def _through_the_outage(services: httpx.Client, orders: Sequence[PlannedOrder]) -> Iterator[Second]:
    """Place the orders, take the primary down and up again, and yield each second."""
    start, placed, before = time.monotonic(), iter(orders), count_charges(services)
    for number in range(ENDS_AFTER):
        began, is_down = time.time(), DOWN_AFTER <= number < UP_AGAIN_AFTER
        set_faults(services, "payments.primary", {"down": is_down})
        for part in range(1, ORDERS_PER_SECOND + 1):
            if order := next(placed, None):
                order_saga.start(order.order, saga_id=order.id)
            due = start + number + part / ORDERS_PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
        now = count_charges(services)
        yield Second(
            began=began,
            ended=time.time(),
            is_down=is_down,
            circuit=str(primary.state),
            charges={channel: now[channel] - before[channel] for channel in now},
        )
        before = now


def timeline(
    seconds: Sequence[Second], history: Sequence[Event], moves: Sequence[CircuitEvent]
) -> Table:
    """Return a table with a line for each second, and one that adds them up."""
    rows = []
    for second in seconds:
        events = [event for event in history if second.has(event)]
        paid = Counter(event.record for event in events if event.name == "step.completed")
        counts = (
            second.charges["payments.primary"],
            sum(map(is_rejected, events)),
            second.charges["payments.fallback"],
            paid["process_payment"],
            paid["process_payment:fallback"],
        )
        circuit = circuit_in(second, [move.name for move in moves if second.has(move)])
        rows.append((("down" if second.is_down else "up", circuit), counts))
    totals = [sum(column) for column in zip(*(counts for _, counts in rows), strict=True)]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_footer=True, caption=CAPTION)
    for heading, footer in (("s", ""), ("primary", ""), ("its circuit", "in all")):
        table.add_column(heading, footer=footer, justify="right", no_wrap=True)
    for heading, total in zip(COUNTED, totals, strict=True):
        table.add_column(heading, footer=str(total), justify="right")
    for number, (states, counts) in enumerate(rows, 1):
        table.add_row(str(number), *states, *map(str, counts))
    return table


def circuit_in(second: Second, moves: Sequence[str]) -> str:
    """Return the circuit's moves in a second, in their order, or else its state."""
    names = [MOVES.get(move, move.removeprefix("breaker.")) for move in moves]
    return ", ".join(names) or second.circuit
