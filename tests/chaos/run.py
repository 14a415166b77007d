"""One run: orders and faults by the schedule, then everything heals, comes to rest, and is judged."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx

import tasks
from amends import Handle, Saga, UnknownSaga
from amends.backend.settings import compensation_queue, settings_of
from amends.definition.itinerary import Itinerary
from amends.definition.paths import child_id
from amends.diagnosis.saga.explain import explain
from amends.diagnosis.saga.times.segments import Times
from amends.dispatch.routing import EXAMPLE, queue_of
from amends.log.history import Event
from amends.log.queries.lost_writes import LostWrite
from amends.log.saga_log import log_of
from demo.fulfilments import fulfilment_stock_for, plan_fulfilments
from demo.orders import PlannedOrder, plan_orders, stock_for
from demo.run import use
from demo.sandbox import Faults, faults_switched_on, read_ledger, set_stock
from sagas.fulfilment import fulfilment_saga
from sagas.invoice import invoice_saga
from sagas.order import order_saga
from tasks.payment import primary, process_payment
from tests.chaos.accounts import draw_accounts
from tests.chaos.circuit import Limits
from tests.chaos.kinds import OF_FULFILMENTS, USUAL, USUAL_WITH_OUTAGES, carry_out
from tests.chaos.order_verdict import ChildVerdict, OrderVerdict
from tests.chaos.orders import LOST, Orders
from tests.chaos.outage_verdict import judge_outages
from tests.chaos.rest import await_rest, deliver_again, insist
from tests.chaos.scene import EventLog, Fault, Scene
from tests.chaos.schedule import Options, Schedule
from tests.chaos.standstill import Sample, Samples, Standstill
from tests.chaos.system import WORKERS, System, running_system
from tests.chaos.verdict import Verdict
from tests.chaos.watch import Watch

AT_ONCE = 32
SAGAS: Mapping[str, Saga[Any, Any]] = {
    each.name: each for each in (order_saga, fulfilment_saga, invoice_saga)
}


def run(options: Options, schedule: Schedule, *, directory: Path) -> Verdict:
    """Run the schedule against a system in `directory`, and judge what is left."""
    with (
        running_system(
            directory,
            pool=options.pool,
            broker=options.broker,
            log=options.log,
            wait_replicas=options.wait_replicas,
        ) as system,
        httpx.Client(base_url=system.urls["SERVICES_URL"], timeout=10.0) as services,
    ):
        _use(system)
        tasks.app.conf.amends_wait_replicas = int(system.urls["AMENDS_WAIT_REPLICAS"])
        events = EventLog(directory / "events.jsonl")
        scene = Scene(
            system=system,
            orders=Orders(_planned(options), events.write),
            queues=system.messages.queues(list(tasks.app.amqp.queues)),
            services=services,
            events=events,
            ending=threading.Event(),
            usual=_usual(options),
        )
        set_stock(services, stock_for(options.orders) | fulfilment_stock_for(options.orders))
        began = time.time()
        with closing(scene.orders), Watch(scene) as watch:
            hit, missed = _carry_out(scene, schedule)
        orders = _judge(scene)
        standstills = [*_standstills(orders, watch.samples)]
        outages = judge_outages(scene.outages, orders, _limits(options.pool))
        return Verdict(
            orders=orders,
            accounts=draw_accounts(orders, seed=options.seed),
            hit=hit,
            missed=missed,
            standstill=max(standstills, key=lambda found: found.seconds, default=None),
            gap=max(standstills, key=lambda found: found.gap, default=None),
            ended_by_themselves=watch.ended_by_themselves,
            starts_raised=scene.orders.raised,
            began=began,
            elapsed=time.time() - began,
            outages=outages if options.outages else None,
            lost=_lost(list(scene.orders.handles)),
            may_lose=options.wait_replicas == 0,
        )


def _planned(options: Options) -> Sequence[PlannedOrder]:
    plan = plan_fulfilments if options.saga == "fulfilment" else plan_orders
    return plan(options.orders, series=f"{options.seed}")


def _usual(options: Options) -> Faults:
    if options.saga == "fulfilment":
        return {**USUAL, **OF_FULFILMENTS}
    return USUAL_WITH_OUTAGES if options.outages else USUAL


def _carry_out(scene: Scene, schedule: Schedule) -> tuple[Counter[str], Counter[str]]:
    """Play the schedule, heal everything, wait until all is over, and stop the workers; return hits and misses."""
    with faults_switched_on(scene.services, scene.usual):
        hit, missed = _play(scene, schedule)
        scene.events.write("healing")
        scene.system.heal()
    await_rest(scene)
    deliver_again(scene)
    for worker in scene.system.workers.values():
        worker.ask_to_stop()
    for worker in scene.system.workers.values():
        worker.stop()
    return hit, missed


def _use(system: System) -> None:
    """Let this process use the system as its workers do. What it sends does not wait for a frozen broker to be thawed."""
    settings = dict(system.messages.settings)
    options = {**settings.pop("broker_transport_options", {}), **system.messages.waits}
    use(system.urls, broker_transport_options=options, **settings)


def _play(scene: Scene, schedule: Schedule) -> tuple[Counter[str], Counter[str]]:
    """Place the orders and do the faults, each at its time; return how many faults hit and missed, by kind."""
    began = time.monotonic()
    acts: list[tuple[float, PlannedOrder | Fault]] = [
        *zip(schedule.orders, scene.orders.planned, strict=True),
        *((fault.at, fault) for fault in schedule.faults),
    ]
    doing: list[tuple[str, Future[bool]]] = []
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fault") as pool:
        try:
            for at, act in sorted(acts, key=lambda act: act[0]):
                time.sleep(max(0.0, began + at - time.monotonic()))
                if isinstance(act, Fault):
                    doing.append((act.kind, pool.submit(carry_out, scene, act)))
                else:
                    scene.orders.place(act)
            time.sleep(max(0.0, began + schedule.lasts - time.monotonic()))
        finally:
            scene.ending.set()
    done = [(kind, fault.result()) for kind, fault in doing]  # an error is one of the harness
    hits, misses = (
        Counter(kind for kind, hit in done if hit is wanted) for wanted in (True, False)
    )
    return hits, misses


def _judge(scene: Scene) -> list[OrderVerdict]:
    ledger, verdicts = read_ledger(scene.services), []
    for planned in scene.orders.planned:
        handle = scene.orders.handles.get(planned.id)
        status, outcome, history = insist(partial(_read, handle)) if handle else (None, None, ())
        children = insist(partial(_read_children, planned))
        verdict = OrderVerdict(
            planned=planned,
            status=status,
            outcome=outcome,
            entry=ledger[planned.id],
            history=history,
            children=children,
            answers=scene.orders.approvals.of(planned.id),
            times=insist(partial(_times, planned.id)),
        )
        verdicts.append(verdict)
    return verdicts


def _lost(started: Sequence[str]) -> Sequence[LostWrite]:
    """Return what ``saga doctor --after-failover --started`` lists."""
    retention = settings_of(tasks.app).retention
    lost_writes = log_of(tasks.app).lost_writes
    return insist(partial(lost_writes.read, kept_for=retention, started=started))


def _read(handle: Handle[Any]) -> tuple[str | None, str | None, Sequence[Event]]:
    """Return a saga's status, outcome and history; a status of its own for one that was started, and that a failover lost."""
    try:
        return str(handle.status), handle.outcome, handle.history()
    except UnknownSaga:
        return LOST, None, ()


def _times(saga_id: str) -> Times | None:
    """Return where the time of a saga went, None if a failover lost it."""
    try:
        return explain(tasks.app, saga_id).times
    except UnknownSaga:
        return None


def _read_children(planned: PlannedOrder) -> Sequence[ChildVerdict]:
    """Read the children of an order's saga; each attempt at a step has its own."""
    found: list[ChildVerdict] = []
    for step in planned.saga.itinerary.steps:
        saga, tries = SAGAS[step.child.saga] if step.child else None, 0
        while saga is not None:
            try:
                handle = saga.get(child_id(planned.id, step.name, tries))
                read = ChildVerdict(
                    id=handle.id,
                    status=str(handle.status),
                    history=handle.history(),
                    itinerary=saga.itinerary,
                )
            except UnknownSaga:
                break
            found.append(read)
            tries += 1
    return found


def _standstills(orders: Sequence[OrderVerdict], samples: Sequence[Sample]) -> Iterator[Standstill]:
    known = {name: _samples(saga.itinerary, samples) for name, saga in SAGAS.items()}
    for order in orders:
        moved = [event.at for child in order.children for event in child.history]
        own = known[order.planned.saga.name]
        yield from own.standstills(order.planned.id, order.history, moved=moved)
        for child in order.children:
            yield from known[child.itinerary.saga].standstills(child.id, child.history)


def _samples(itinerary: Itinerary, samples: Sequence[Sample]) -> Samples:
    records = itinerary.records.items()
    return Samples(
        samples=samples,
        queue_of={path: queue_of(tasks.app, record, EXAMPLE) or "" for path, record in records},
        advance=compensation_queue(tasks.app),
        settles={path: record.step.settle for path, record in records if record.verifies},
    )


def _limits(pool: str) -> Limits:
    """Return what the primary's breaker promises, with workers that have this pool."""
    threads = max(options["concurrency"] for options in WORKERS.values())
    return Limits(
        failure_threshold=primary.options.failure_threshold,
        reset_timeout=primary.options.reset_timeout,
        lease=process_payment.start_to_close_timeout,
        calls_at_once=threads if pool in ("threads", "gevent") else 1,
    )
