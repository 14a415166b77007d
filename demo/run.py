"""Orders through the running system, and what is left of each: ``make demo``."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import tasks
from amends import Handle
from demo.orders import PlannedOrder, plan_orders, stock_for
from demo.sandbox import FAULTS, Ledger, faults_switched_on, read_ledger, set_stock
from demo.system import System
from demo.verdict import AT_REST, OrderRecord, count_table, outcomes_table, print_wrong
from sagas.order import OrderResult, order_saga

Handles = Mapping[str, Handle[OrderResult]]
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
    with httpx.Client(base_url=system.urls["SERVICES_URL"], timeout=30.0) as services:
        set_stock(services, stock_for(count))
        began = time.monotonic()
        with faults_switched_on(services, FAULTS):
            handles = {each.id: order_saga.start(each.order, saga_id=each.id) for each in orders}
            console.print(f"{count} orders placed; meanwhile the services fail and lose replies")
            timeout = PATIENCE + PATIENCE_PER_ORDER * count
            await_rest(handles, timeout=timeout, console=console, check=system.check)
        elapsed, ledger = time.monotonic() - began, read_ledger(services)
    return print_report(orders, handles, ledger, elapsed=elapsed, console=console)


def await_rest(
    handles: Handles, *, timeout: float, console: Console, check: Callable[[], None]
) -> None:
    """Show the sagas (by id) until all are at rest, or `timeout` seconds are over; `check` is called meanwhile."""
    deadline = time.monotonic() + timeout
    moving, outcomes = dict(handles), Counter[str]()
    text = TextColumn("{task.description}")
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), text)
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(handles))
        while moving and time.monotonic() < deadline:
            check()
            looked_at = [*islice(moving, LOOK_AT)]
            arrived = [moving.pop(each) for each in looked_at if moving[each].status in AT_REST]
            outcomes.update(str(handle.outcome or handle.status) for handle in arrived)
            told = "  ".join(f"{outcome} {count}" for outcome, count in outcomes.most_common())
            progress.update(bar, completed=outcomes.total(), description=told)
            if not arrived:
                time.sleep(PAUSE)


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
    console.print(f"{count} sagas in {elapsed:.1f} s: {count / elapsed:.1f} per second")
    if print_wrong(records, console):
        return False
    console.print(
        f"the ledger agrees: all {count} sagas ended, and every order is consistent (what is completed was "
        "done once, of the others nothing is left)",
        style="bold green",
        soft_wrap=True,
    )
    return True
