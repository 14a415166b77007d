"""Orders through the running system, and what is left of each: ``make demo``."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

import tasks
from amends import Handle
from amends.breaker.states import CircuitState
from demo.fulfilments import answer_those_that_wait, fulfilment_stock_for, plan_fulfilments
from demo.orders import PlannedOrder, plan_orders, stock_for
from demo.report import Handles, print_circuit, print_report
from demo.sandbox import FAULTS, faults_switched_on, read_ledger, set_faults, set_stock
from demo.system import System
from demo.verdict import AT_REST
from tasks.payment import primary

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
    series = secrets.token_hex(2)
    orders = plan_orders(count, series=series)
    fulfilments = plan_fulfilments((count + 3) // 4, series=series)
    first, last = (count + 1) // 2, count // 4
    unanswered = [each for each in fulfilments if each.needs_approval]

    def check() -> None:
        system.check()
        unanswered[:] = answer_those_that_wait(unanswered)

    with httpx.Client(base_url=system.urls["SERVICES_URL"], timeout=30.0) as services:
        set_stock(services, stock_for(count) | fulfilment_stock_for(len(fulfilments)))
        primary.reset(by="the demo", why="to begin closed")
        began = time.time()
        place = partial(_place, console=console, check=check)
        with faults_switched_on(services, FAULTS):
            console.print(
                f"{len(fulfilments)} fulfilments in parcels, {len(unanswered)} of which a person has to approve of,"
                " and beside them"
            )
            in_parcels = {each.id: each.start() for each in fulfilments}
            handles = place(orders[:first], "while services fail and lose replies")
            set_faults(services, PRIMARY, {"down": True})
            handles |= place(orders[first : count - last], "while the primary payment is down")
            set_faults(services, PRIMARY, FAULTS[PRIMARY])
            console.print("it is up again; its circuit probes it with one order at a time")
            handles |= (probes := _probe(orders[count - last :]))
            handles |= place(orders[count - last + len(probes) :], "more")
            timeout = PATIENCE + PATIENCE_PER_ORDER * len(fulfilments)
            console.print("the fulfilments")
            await_rest(in_parcels, timeout=timeout, console=console, check=check)
        elapsed, ledger = time.time() - began, read_ledger(services)
    print_circuit(handles, began=began, console=console)
    return print_report(
        [*orders, *fulfilments], handles | in_parcels, ledger, elapsed=elapsed, console=console
    )


def _place(
    orders: Sequence[PlannedOrder], when: str, *, console: Console, check: Callable[[], None]
) -> dict[str, Handle[Any]]:
    """Place orders, and wait until all are at rest."""
    console.print(f"{len(orders)} orders {when}")
    handles = {each.id: each.start() for each in orders}
    timeout = PATIENCE + PATIENCE_PER_ORDER * len(orders)
    await_rest(handles, timeout=timeout, console=console, check=check)
    return handles


def _probe(orders: Sequence[PlannedOrder]) -> dict[str, Handle[Any]]:
    """Place orders one by one until the circuit of the primary payment is closed; return those that were placed."""
    probes: dict[str, Handle[Any]] = {}
    for each in orders:
        if primary.state == CircuitState.CLOSED:
            break
        time.sleep(primary.retry_after)
        probes[each.id] = each.start()
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
