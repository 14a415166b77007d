"""Orders through the running system, and what is left of each: ``make demo``."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

import tasks
from amends import Handle
from amends.breaker.states import CircuitState
from amends.log.history import Event
from demo.orders import PlannedOrder, plan_orders, stock_for
from demo.sandbox import FAULTS, Ledger, faults_switched_on, read_ledger, set_faults, set_stock
from demo.system import System
from demo.verdict import AT_REST, OrderRecord, count_table, outcomes_table, print_wrong
from sagas.order import OrderResult, order_saga
from tasks.payment import primary

Handles = Mapping[str, Handle[OrderResult]]
PRIMARY = "payments.primary"
# Time to end in: a start, and a share per order. Nobody waits for it unless something is wrong.
PATIENCE = 60.0
PATIENCE_PER_ORDER = 1.0
# Sagas come to rest roughly in the order in which they were started, so looking at the oldest finds what there is to
# find, and a round costs the same however many orders there are.
LOOK_AT = 50
PAUSE = 0.1


def use(urls: Mapping[str, str], **options: object) -> None:
    """Let this process start and read sagas of the system at `urls`; `options` are Celery's settings."""
    broker, log = urls["CELERY_BROKER_URL"], urls["AMENDS_BACKEND"]
    tasks.app.conf.update(broker_url=broker, amends_backend=log, **options)


def run_orders(system: System, console: Console, *, count: int) -> bool:
    """Place orders while services fail, wait for them, and print the verdict; return whether all is consistent."""
    # Ids of each run's own: the log may outlive the run, and an id that it knows starts nothing.
    orders = plan_orders(count, series=secrets.token_hex(2))
    first, last = (count + 1) // 2, count // 4
    with httpx.Client(base_url=system.urls["SERVICES_URL"], timeout=30.0) as services:
        set_stock(services, stock_for(count))
        primary.reset(by="the demo", why="to begin closed")
        began = time.time()
        place = partial(_place, console=console, check=system.check)
        with faults_switched_on(services, FAULTS):
            handles = place(orders[:first], "while services fail and lose replies")
            set_faults(services, PRIMARY, {"down": True})
            handles |= place(orders[first : count - last], "while the primary payment is down")
            set_faults(services, PRIMARY, FAULTS[PRIMARY])
            console.print("it is up again; its circuit probes it with one order at a time")
            handles |= (probes := _probe(orders[count - last :]))
            handles |= place(orders[count - last + len(probes) :], "more")
        elapsed, ledger = time.time() - began, read_ledger(services)
    print_circuit(handles, began=began, console=console)
    return print_report(orders, handles, ledger, elapsed=elapsed, console=console)


def _place(
    orders: Sequence[PlannedOrder], when: str, *, console: Console, check: Callable[[], None]
) -> dict[str, Handle[OrderResult]]:
    """Place orders, and wait until all are at rest."""
    console.print(f"{len(orders)} orders {when}")
    handles = {each.id: order_saga.start(each.order, saga_id=each.id) for each in orders}
    timeout = PATIENCE + PATIENCE_PER_ORDER * len(orders)
    await_rest(handles, timeout=timeout, console=console, check=check)
    return handles


def _probe(orders: Sequence[PlannedOrder]) -> dict[str, Handle[OrderResult]]:
    """Place orders one by one until the circuit of the primary payment is closed; return those that were placed."""
    probes = {}
    for each in orders:
        if primary.state == CircuitState.CLOSED:
            break
        time.sleep(primary.retry_after)
        probes[each.id] = order_saga.start(each.order, saga_id=each.id)
        probes[each.id].wait(timeout=PATIENCE)
    return probes


def await_rest(
    handles: Handles, *, timeout: float, console: Console, check: Callable[[], None]
) -> None:
    """Show how many sagas (by id) are at rest until all are, or `timeout` seconds are over; `check` is called meanwhile."""
    deadline = time.monotonic() + timeout
    moving = dict(handles)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(handles))
        while moving and time.monotonic() < deadline:
            check()
            looked_at = [*islice(moving, LOOK_AT)]
            arrived = [moving.pop(each) for each in looked_at if moving[each].status in AT_REST]
            progress.advance(bar, len(arrived))
            if not arrived:
                time.sleep(PAUSE)


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
    steps = [step for snapshot in snapshots.values() for step in snapshot.steps.items()]
    undone = Counter(name for name, step in steps if step.state == "compensated")
    paid = Counter(
        str(step.channel)
        for name, step in steps
        if (name, step.state) == ("process_payment", "done")
    )
    console.print(outcomes_table(records))
    for heading, counts in (("step compensated", undone), ("paid through", paid)):
        if counts:
            rows = {name: (count,) for name, count in counts.items()}
            console.print(count_table(heading, "orders", rows=rows))
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
