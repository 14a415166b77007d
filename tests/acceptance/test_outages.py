"""The log, the broker, or every worker at once are away for a while; orders go on, and nothing is decided meanwhile."""

import itertools
import os
import sys
import threading
import time
from collections import Counter

import pytest

import tasks
from amends import LogUnavailable
from amends.log.saga_log import log_of
from demo.servers import find_rabbitmq
from tests.acceptance.conftest import OrderSystem, use
from tests.chaos.system import running_system
from tests.support.eventually import eventually
from tests.support.servers import skip_without

ENDED = {"completed", "compensated"}
OUTAGE = 20.0


class Parts(OrderSystem):
    """The order system whose parts are killed and frozen."""

    def __init__(self, parts):
        super().__init__(dict(parts.urls))
        self.parts = parts
        self.workers = list(parts.workers.values())

    def part(self, name):
        return {"log": self.parts.log, "broker": self.parts.broker}[name]

    def slow_down(self, seconds):
        """Let every call to the services take so long."""
        for service in ("inventory", "payments.primary", "payments.fallback", "shipping"):
            self.fault(service, latency=seconds)

    def place(self, count):
        """Place orders that complete, and others that go back from the payment or the shipment."""
        kinds = [{}, {"user_id": "poor-joe"}, {"shipping_address": "1 Nowhere Road"}]
        return [self.start(**kinds[number % 3]) for number in range(count)]

    def await_end(self, handles, *, timeout=100.0):
        eventually(lambda: all(handle.status in ENDED for handle in handles), timeout=timeout)
        for handle in handles:
            self.judge(handle)

    def judge(self, handle):
        """Hold that the ledger says what the saga's status does."""
        if handle.status == "completed":
            self.assert_in_force(handle.id)
        else:
            self.assert_nothing_in_force(handle.id)


def running(handles):
    """Tell what runs now: ``step``, ``switch`` (a void or a fallback), ``undo``."""
    found = set()
    for handle in handles:
        fields = log_of(tasks.app).read_saga(handle.id).fields
        codes = [
            name[:-2] for name, value in fields.items() if value == "running" and name[-2:] == ".s"
        ]
        if fields["direction"] == "backward":
            found |= {"undo" for code in codes if code.endswith("u")}
        else:
            found |= {"step" if code.isdecimal() else "switch" for code in codes}
    return found


def begun(handles):
    """Count how often each record of each saga was begun."""
    return Counter(
        (handle.id, event.record)
        for handle in handles
        for event in handle.history()
        if event.name in ("step.started", "step.compensating")
    )


@pytest.fixture(scope="module", params=["redis", pytest.param("rabbitmq", marks=pytest.mark.long)])
def parts(request, tmp_path_factory):
    if request.param == "rabbitmq":
        skip_without(find_rabbitmq)
    with running_system(
        tmp_path_factory.mktemp("parts"),
        broker=request.param,
        application="tests.acceptance.frequent_sweeps",
        environment={"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as parts:
        yield Parts(parts)


@pytest.fixture
def orders(parts):
    use(parts)
    parts.parts.heal()
    yield parts
    parts.services.delete("/faults").raise_for_status()


@pytest.fixture
def undisturbed(orders):
    """Hold that the workers go on by themselves, and that none gave another one's step up."""
    before = [worker.pid for worker in orders.workers]
    said = [len(worker.logged()) for worker in orders.workers]
    yield
    assert [worker.pid for worker in orders.workers] == before
    news = "".join(
        worker.logged()[length:] for worker, length in zip(orders.workers, said, strict=True)
    )
    assert "is given up" not in news


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["log"], id="log"),
        pytest.param(["broker"], id="broker", marks=pytest.mark.long),
        pytest.param(["log", "broker"], id="both", marks=pytest.mark.long),
    ],
)
def test_orders_outlive_a_frozen_server_without_a_second_call(orders, undisturbed, names):
    orders.slow_down(1.0)
    handles = orders.place(24)
    eventually(lambda: running(handles) >= {"step", "undo"})
    for name in names:
        orders.part(name).freeze()
    time.sleep(OUTAGE)
    for name in names:
        orders.part(name).thaw()
    orders.await_end(handles)
    assert set(begun(handles).values()) == {1}


@pytest.mark.parametrize(
    ("names", "seconds"),
    [
        # Longer than a heartbeat may be old: who judges too soon declares everybody dead.
        pytest.param(["log"], 12.0, id="log"),
        pytest.param(["broker"], 3.0, id="broker"),
        pytest.param(["log", "broker"], 12.0, id="both", marks=pytest.mark.long),
    ],
)
def test_orders_outlive_a_server_that_is_killed_without_a_second_call(
    orders, undisturbed, names, seconds
):
    orders.slow_down(1.0)
    handles = orders.place(24)
    eventually(lambda: running(handles) >= {"step", "undo"})
    for name in names:
        orders.part(name).kill()
    time.sleep(seconds)
    for name in names:
        orders.part(name).start(wait=True)
    orders.await_end(handles)
    assert set(begun(handles).values()) == {1}


def test_every_start_that_was_acknowledged_is_in_the_log_after_it_was_killed(orders):
    acknowledged, ends = [], threading.Event()

    def place():
        for number in itertools.count():
            if ends.is_set():
                return
            try:
                acknowledged.append(orders.start(items=[], user_id=f"u{number}"))
            except LogUnavailable:
                continue

    clients = [threading.Thread(target=place) for _ in range(4)]
    for client in clients:
        client.start()
    eventually(lambda: len(acknowledged) > 40)
    orders.parts.log.kill()
    ends.set()
    for client in clients:
        client.join()
    orders.parts.log.start(wait=True)
    for handle in acknowledged:
        assert handle.wait(timeout=60).outcome == "validation_failed"


def test_one_worker_finishes_what_was_open_when_all_were_killed(orders):
    orders.slow_down(1.0)
    orders.fault("payments.primary", latency=1.0, lost_reply_rate=0.7)
    handles = orders.place(36)
    eventually(lambda: running(handles) == {"step", "switch", "undo"})
    for worker in orders.workers:
        worker.kill()
    orders.slow_down(0.0)
    orders.workers[0].start(wait=True)
    orders.await_end(handles)
