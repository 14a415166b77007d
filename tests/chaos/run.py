"""One run: orders and faults by the schedule, then everything heals, comes to rest, and is judged."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

import tasks
from amends.dispatch.routing import compensation_queue, queue_of
from demo.ledger import LedgerEntry
from demo.plan import PlannedOrder, plan_orders, stock_for
from demo.sandbox import faults_switched_on, read_ledger, set_stock
from sagas.order import order_saga
from tests.chaos import system as systems
from tests.chaos.event_log import EventLog
from tests.chaos.faults import carry_out
from tests.chaos.order_verdict import OrderVerdict
from tests.chaos.orders import Orders
from tests.chaos.outage_verdict import judge_outages
from tests.chaos.outages import limits
from tests.chaos.queues import Queues, RedisQueues
from tests.chaos.rabbitmq_queues import RabbitQueues
from tests.chaos.scene import Scene
from tests.chaos.schedule import Fault, Schedule
from tests.chaos.server_faults import USUAL, USUAL_WITH_OUTAGES
from tests.chaos.standstill import Samples, Standstill
from tests.chaos.system import RabbitServer, System
from tests.chaos.verdict import Verdict
from tests.chaos.watch import Watch

# At the end, for all that is open: what a worker or a message lost in the last second costs, and the undos' retries.
REST_WITHIN = 180.0
STILL = 2.0  # seconds of empty queues after which nothing more is under way
TICK = 0.02
AT_ONCE = 32
# What this process sends must not wait for a frozen broker until that is thawed.
PATIENT: Mapping[str, Mapping[str, float]] = {
    "redis": {"socket_timeout": 5.0, "socket_connect_timeout": 2.0},
    "rabbitmq": {"read_timeout": 5.0, "write_timeout": 5.0, "connect_timeout": 2.0},
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is made of."""

    seed: int
    schedule: Schedule
    pool: str
    broker: str
    outages: bool = False


def run(options: Options, *, directory: Path) -> Verdict:
    """Run the schedule against a system in `directory`, and judge what is left."""
    with systems.running(directory, pool=options.pool, broker=options.broker) as system:
        tasks.app.conf.update(
            broker_url=system.urls["CELERY_BROKER_URL"],
            amends_backend=system.urls["AMENDS_BACKEND"],
            broker_transport_options=PATIENT[options.broker],
        )
        events = EventLog(directory / "events.jsonl")
        with (
            contextlib.closing(events),
            httpx.Client(base_url=system.urls["SERVICES_URL"], timeout=10.0) as services,
        ):
            return _Run(options, system, events, services).carry_out()


def _queues_of(system: System) -> Queues:
    names = list(tasks.app.amqp.queues)
    if isinstance(system.broker, RabbitServer):
        return RabbitQueues(system.broker.port, names)
    return RedisQueues(system.broker.url, names)


class _Run:
    def __init__(
        self,
        options: Options,
        system: System,
        events: EventLog,
        services: httpx.Client,
    ) -> None:
        self._options = options
        self._system = system
        self._events = events
        self._services = services
        self._ending = threading.Event()
        self._placing = threading.Event()
        planned = plan_orders(len(options.schedule.orders), series=f"{options.seed}")
        self._orders = Orders(planned, events, self._placing)
        self._queues = _queues_of(system)
        self._watch = Watch(system, self._orders, self._queues, events)
        self._scene = Scene(
            system=system,
            orders=self._orders,
            queues=self._queues,
            services=services,
            app=tasks.app,
            events=events,
            ending=self._ending,
            usual=USUAL_WITH_OUTAGES if options.outages else USUAL,
            kept=[],
            outages=[],
        )
        self._hit: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()

    def carry_out(self) -> Verdict:
        began = time.monotonic()
        self._events.write(
            "run.begins",
            seed=self._options.seed,
            pool=self._options.pool,
            broker=self._options.broker,
        )
        set_stock(self._services, stock_for(len(self._orders.planned)))
        try:
            self._watch.start()
            with faults_switched_on(self._services, self._scene.usual):
                self._play()
                self._heal()
            self._await_rest()
            self._deliver_again()
            for worker in self._system.workers.values():
                worker.ask_to_stop()
            for worker in self._system.workers.values():
                worker.stop()
        finally:
            self._ending.set()
            self._placing.set()
            self._orders.close()
            self._watch.stop()
        return self._judge(time.monotonic() - began)

    def _play(self) -> None:
        """Place the orders and do the faults, each at its time."""
        schedule = self._options.schedule
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fault") as faults:
            doing: list[Future[None]] = []
            try:
                for at, act in self._acts(faults, doing):
                    self._wait_until(began + at)
                    act()
                self._wait_until(began + schedule.lasts)
            finally:
                self._ending.set()
            wait(doing)
        for done in doing:
            done.result()  # an error in a fault is one of the harness

    def _acts(
        self, pool: ThreadPoolExecutor, doing: list[Future[None]]
    ) -> Iterator[tuple[float, Callable[[], object]]]:
        schedule = self._options.schedule
        plans: Sequence[PlannedOrder] = list(self._orders.planned.values())
        acts: list[tuple[float, Callable[[], object]]] = [
            *(
                (at, partial(self._orders.place, order))
                for at, order in zip(schedule.orders, plans, strict=True)
            ),
            *((fault.at, partial(self._submit, pool, doing, fault)) for fault in schedule.faults),
        ]
        return iter(sorted(acts, key=lambda act: act[0]))

    def _submit(self, pool: ThreadPoolExecutor, doing: list[Future[None]], fault: Fault) -> None:
        doing.append(pool.submit(self._do, fault))

    def _do(self, fault: Fault) -> None:
        hit = carry_out(self._scene, fault)
        (self._hit if hit else self._missed)[fault.kind] += 1

    def _wait_until(self, moment: float) -> None:
        while (left := moment - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))

    def _heal(self) -> None:
        self._events.write("healing")
        self._system.start()

    def _await_rest(self) -> None:
        """Wait until every saga is at rest; the verdict says which are not."""
        deadline = time.monotonic() + REST_WITHIN
        while not self._orders.all_at_rest and time.monotonic() < deadline:
            time.sleep(TICK)
        self._events.write("at_rest", all=self._orders.all_at_rest)

    def _deliver_again(self) -> None:
        """Deliver every message that was kept, now that all is over; wait until nothing is under way."""
        for message in self._scene.kept:
            self._queues.put(message)
        self._events.write("delivered_again", count=len(self._scene.kept))
        deadline = time.monotonic() + REST_WITHIN
        empty_since = time.monotonic()
        while time.monotonic() - empty_since < STILL and time.monotonic() < deadline:
            if any(self._queues.lengths().values()):
                empty_since = time.monotonic()
            time.sleep(TICK)

    def _judge(self, elapsed: float) -> Verdict:
        ledger = read_ledger(self._services)
        orders = [self._judge_order(order, ledger) for order in self._orders.planned.values()]
        standstills = self._standstills(orders)
        return Verdict(
            orders=orders,
            hit=self._hit,
            missed=self._missed,
            standstill=max(standstills, key=lambda found: found.seconds, default=None),
            gap=max(standstills, key=lambda found: found.gap, default=None),
            outages=judge_outages(self._scene.outages, orders, limits(self._options.pool))
            if self._options.outages
            else None,
            ended_by_themselves=self._watch.ended_by_themselves,
            starts_raised=self._orders.raised,
            began=self._events.began,
            elapsed=elapsed,
        )

    def _judge_order(self, order: PlannedOrder, ledger: dict[str, LedgerEntry]) -> OrderVerdict:
        handle = self._orders.handles.get(order.order_id)
        return OrderVerdict(
            order=order,
            status=None if handle is None else str(handle.status),
            outcome=None if handle is None else handle.outcome,
            entry=ledger.get(order.order_id) or LedgerEntry(order_id=order.order_id),
            history=[] if handle is None else handle.history(),
        )

    def _standstills(self, orders: Sequence[OrderVerdict]) -> list[Standstill]:
        records = order_saga.itinerary.records
        queues = {path: queue_of(tasks.app, record) or "" for path, record in records.items()}
        samples = Samples(
            self._watch.samples, queue_of=queues, advance=compensation_queue(tasks.app)
        )
        return [
            found
            for order in orders
            for found in samples.standstills(order.order.order_id, order.history)
        ]
