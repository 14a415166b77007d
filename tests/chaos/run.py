"""One run: orders and faults by the schedule, then everything heals, comes to rest, and is judged."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx

import tasks
from amends.backend.settings import compensation_queue
from amends.dispatch.routing import EXAMPLE, queue_of
from demo.orders import PlannedOrder, plan_orders, stock_for
from demo.run import use
from demo.sandbox import faults_switched_on, read_ledger, set_stock
from demo.servers import RabbitServer
from sagas.order import order_saga
from tasks.payment import primary, process_payment
from tests.chaos.circuit import Limits
from tests.chaos.kinds import USUAL, USUAL_WITH_OUTAGES, carry_out
from tests.chaos.order_verdict import OrderVerdict
from tests.chaos.orders import Orders
from tests.chaos.outage_verdict import judge_outages
from tests.chaos.queues import Queues, RabbitQueues, RedisQueues
from tests.chaos.scene import EventLog, Fault, Scene
from tests.chaos.schedule import Options, Schedule
from tests.chaos.standstill import Sample, Samples, Standstill
from tests.chaos.system import WORKERS, System, running_system
from tests.chaos.verdict import Verdict
from tests.chaos.watch import Watch

# At the end, for all that is open: what a worker or a message lost in the last second costs, and the undos' retries.
REST_WITHIN = 180.0
STILL = 2.0  # seconds of empty queues after which nothing more is under way
TICK = 0.1
AT_ONCE = 32
# What this process sends must not wait for a frozen broker until that is thawed.
PATIENT: Mapping[str, Mapping[str, float]] = {
    "redis": {"socket_timeout": 5.0, "socket_connect_timeout": 2.0},
    "rabbitmq": {"read_timeout": 5.0, "write_timeout": 5.0, "connect_timeout": 2.0},
}


def run(options: Options, schedule: Schedule, *, directory: Path) -> Verdict:
    """Run the schedule against a system in `directory`, and judge what is left."""
    with (
        running_system(directory, pool=options.pool, broker=options.broker) as system,
        httpx.Client(base_url=system.urls["SERVICES_URL"], timeout=10.0) as services,
    ):
        use(system.urls, broker_transport_options=PATIENT[options.broker])
        events = EventLog(directory / "events.jsonl")
        scene = Scene(
            system=system,
            orders=Orders(plan_orders(options.orders, series=f"{options.seed}"), events.write),
            queues=_queues_of(system),
            services=services,
            events=events,
            ending=threading.Event(),
            usual=USUAL_WITH_OUTAGES if options.outages else USUAL,
        )
        set_stock(services, stock_for(options.orders))
        began = time.time()
        with closing(scene.orders), Watch(scene) as watch:
            hit, missed = _carry_out(scene, schedule)
        orders = _judge(scene)
        standstills = _standstills(orders, watch.samples)
        outages = judge_outages(scene.outages, orders, _limits(options.pool))
        return Verdict(
            orders=orders,
            hit=hit,
            missed=missed,
            standstill=max(standstills, key=lambda found: found.seconds, default=None),
            gap=max(standstills, key=lambda found: found.gap, default=None),
            ended_by_themselves=watch.ended_by_themselves,
            starts_raised=scene.orders.raised,
            began=began,
            elapsed=time.time() - began,
            outages=outages if options.outages else None,
        )


def _carry_out(scene: Scene, schedule: Schedule) -> tuple[Counter[str], Counter[str]]:
    """Play the schedule, heal everything, wait until all is over, and stop the workers; return hits and misses."""
    with faults_switched_on(scene.services, scene.usual):
        hit, missed = _play(scene, schedule)
        scene.events.write("healing")
        scene.system.heal()
    _await_rest(scene)
    _deliver_again(scene)
    for worker in scene.system.workers.values():
        worker.ask_to_stop()
    for worker in scene.system.workers.values():
        worker.stop()
    return hit, missed


def _queues_of(system: System) -> Queues:
    names = list(tasks.app.amqp.queues)
    if isinstance(system.broker, RabbitServer):
        return RabbitQueues(system.broker.port, names)
    return RedisQueues(system.broker.url, names)


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


def _await_rest(scene: Scene) -> None:
    """Wait until every saga is at rest; the verdict says which are not."""
    deadline = time.monotonic() + REST_WITHIN
    while not scene.orders.all_at_rest and time.monotonic() < deadline:
        time.sleep(TICK)
    scene.events.write("at_rest", all=scene.orders.all_at_rest)


def _deliver_again(scene: Scene) -> None:
    """Deliver every message that was kept, now that all is over; wait until nothing is under way."""
    for message in scene.kept:
        scene.queues.put(message)
    scene.events.write("delivered_again", count=len(scene.kept))
    deadline = time.monotonic() + REST_WITHIN
    empty_since = time.monotonic()
    while time.monotonic() - empty_since < STILL and time.monotonic() < deadline:
        if any(scene.queues.lengths().values()):
            empty_since = time.monotonic()
        time.sleep(TICK)


def _judge(scene: Scene) -> list[OrderVerdict]:
    ledger, verdicts = read_ledger(scene.services), []
    for planned in scene.orders.planned:
        handle = scene.orders.handles.get(planned.id)
        verdict = OrderVerdict(
            planned=planned,
            status=None if handle is None else str(handle.status),
            outcome=None if handle is None else handle.outcome,
            entry=ledger[planned.id],
            history=() if handle is None else handle.history(),
        )
        verdicts.append(verdict)
    return verdicts


def _standstills(orders: Sequence[OrderVerdict], samples: Sequence[Sample]) -> list[Standstill]:
    records = order_saga.itinerary.records.items()
    queues = {path: queue_of(tasks.app, record, EXAMPLE) or "" for path, record in records}
    known = Samples(samples=samples, queue_of=queues, advance=compensation_queue(tasks.app))
    return [each for order in orders for each in known.standstills(order.planned.id, order.history)]


def _limits(pool: str) -> Limits:
    """Return what the primary's breaker promises, with workers that have this pool."""
    threads = max(options["concurrency"] for options in WORKERS.values())
    return Limits(
        failure_threshold=primary.options.failure_threshold,
        reset_timeout=primary.options.reset_timeout,
        lease=process_payment.start_to_close_timeout,
        calls_at_once=threads if pool == "threads" else 1,
    )
