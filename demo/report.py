"""What the demo prints in the end: the outcomes, what was undone, and the verdict of the ledger."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group
from rich.table import Table

from amends import Handle
from amends.log.history import Event
from amends.saga.snapshot import Snapshot
from demo.fulfilments import PlannedFulfilment
from demo.orders import PlannedOrder
from demo.sandbox import Ledger
from demo.verdict import OrderRecord, count_table, outcomes_table, print_wrong
from tasks.payment import primary

Handles = Mapping[str, Handle[Any]]


def print_circuit(handles: Handles, *, began: float, console: Console) -> None:
    """Say how often the circuit of the primary payment has opened since a time, and what it kept away of these sagas."""
    moves = [move.name for move in primary.history() if move.at >= began]
    kept_away = sum(is_rejected(event) for each in handles.values() for event in each.history())
    times, calls = moves.count("breaker.opened"), "call" if kept_away == 1 else "calls"
    console.print(
        f"the primary payment's circuit opened {'once' if times == 1 else f'{times} times'} and kept {kept_away} {calls}"
        " away: those orders paid through the fallback, or were refused there"
    )


def is_rejected(event: Event) -> bool:
    """Return whether an event is a call that an open circuit kept away."""
    error = event.details.get("error") or {}
    return event.name == "step.failed" and error.get("type") == "CircuitOpenError"


def print_report(
    orders: Sequence[PlannedOrder],
    handles: Handles,
    ledger: Ledger,
    *,
    elapsed: float,
    console: Console,
) -> bool:
    """Print the tables and the verdict; return whether every saga ended and every order is consistent."""
    snapshots = {each.id: handles[each.id].snapshot() for each in orders}
    records = [
        OrderRecord(
            planned=each,
            status=snapshots[each.id].status,
            outcome=snapshots[each.id].outcome,
            entry=ledger[each.id],
        )
        for each in orders
    ]
    of_fulfilments = [each for each in records if isinstance(each.planned, PlannedFulfilment)]
    of_orders = [each for each in records if not isinstance(each.planned, PlannedFulfilment)]
    for kind, judged in (("orders", of_orders), ("fulfilments", of_fulfilments)):
        if judged:
            beside = Group(*_count_tables(judged, snapshots, of=kind))
            console.print(Columns([outcomes_table(judged, of=kind), beside], padding=(0, 2)))
    if of_fulfilments:
        print_parcels(of_fulfilments, handles, console=console)
    count = len(records)
    console.print(f"{count} sagas in {elapsed:.1f} s")
    if print_wrong(records, console):
        return False
    console.print(
        f"the ledger agrees: all {count} sagas ended, and every order is consistent (what is completed was "
        "done once, of the others nothing is left)",
        style="bold green",
    )
    return True


def print_parcels(records: Sequence[OrderRecord], handles: Handles, *, console: Console) -> None:
    """Say how many parcels were shipped, and what the bank was asked, which ignores idempotency keys."""
    shipped = sum(record.entry.shipments for record in records)
    asked = [
        bool(event.details["effect"])
        for record in records
        for event in handles[record.planned.id].history()
        if event.name == "step.verified"
    ]
    console.print(
        f"parcels shipped: {shipped}; captures without an answer: {len(asked)}, of which the bank, which ignores idempotency"
        f" keys, had taken the money of {sum(asked)}: it was asked before any was repeated"
    )


def _count_tables(
    records: Sequence[OrderRecord], snapshots: Mapping[str, Snapshot], *, of: str
) -> Iterator[Table]:
    """Yield the tables of the steps that were undone, and of the channels of payment; an empty one is left out."""
    steps = [
        (name.partition("[")[0], step)
        for record in records
        for name, step in snapshots[record.planned.id].steps.items()
    ]
    undone = Counter(name for name, step in steps if step.state == "compensated")
    paid = Counter(
        str(step.channel)
        for name, step in steps
        if (name, step.state) == ("process_payment", "done")
    )
    for heading, counts in (("step compensated", undone), ("paid through", paid)):
        if counts:
            rows = {name: (count,) for name, count in counts.items()}
            yield count_table(heading, of if of == "orders" else "times", rows=rows)
