"""The whole system on this machine: real Redis, services, workers and Flower; and again with RabbitMQ as broker."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import httpx
import pytest

import tasks
from amends import Handle
from amends.breaker.definition import breakers
from amends.breaker.gate import REMEMBERED
from amends.definition.itinerary import Itinerary
from amends.definition.plans import StepPlan
from demo.servers import find_rabbitmq
from sagas.order import OrderResult, order_saga
from tasks.orders import Order, OrderItem
from tests.support.servers import skip_without, whole_system

PRODUCT = "book"
BOTH_WORKERS = {"reply": True, "timeout": 60, "limit": 2}
"""Whose answers are waited for: one of them may have a queue that the other one never had."""


@pytest.hookimpl(tryfirst=True)  # as in the conftest.py of all tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep them in two workers of pytest: what shares a system, and what kills its own."""
    for item in items:
        if "acceptance" in item.path.parts:
            kills = item.path.stem in ("test_outages", "test_stopped_workers")
            item.add_marker(pytest.mark.xdist_group("outages" if kills else "acceptance"))


class OrderSystem:
    """What a customer and a fault-finder do to the system."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls
        self.services = httpx.Client(base_url=urls["SERVICES_URL"], timeout=30.0)
        self.set_stock(PRODUCT, 1_000_000)
        user, _, password = urls.get("FLOWER_BASIC_AUTH", "").partition(":")
        self.login = (user, password)  #: For Flower, as `make up` prints it.
        self.flower = httpx.Client(
            base_url=urls.get("FLOWER_URL", ""), auth=self.login, timeout=30.0
        )

    def set_stock(self, product: str, quantity: int) -> None:
        self.services.put(
            f"/inventory/stock/{product}", json={"quantity": quantity}
        ).raise_for_status()

    def fault(self, service: str, **faults: Any) -> None:
        self.services.put(f"/faults/{service}", json=faults).raise_for_status()

    def order(self, **changes: Any) -> Order:
        fields: dict[str, Any] = {
            "order_id": uuid.uuid4().hex,
            "user_id": "ada",
            "items": [OrderItem(product_id=PRODUCT, quantity=2, price=Decimal("3.50"))],
            "total_amount": Decimal("7.00"),
            "shipping_address": "1 Long Lane",
        }
        return Order(**{**fields, **changes})

    def start(self, **changes: Any) -> Handle[OrderResult]:
        order = self.order(**changes)
        return order_saga.start(order, saga_id=order.order_id)

    def run(self, **changes: Any) -> tuple[Handle[OrderResult], OrderResult]:
        handle = self.start(**changes)
        return handle, handle.wait(timeout=60)

    @contextmanager
    def unconsumed(self, queue: str) -> Iterator[None]:
        """Keep the workers from a queue for a while."""
        tasks.app.control.cancel_consumer(queue, **BOTH_WORKERS)
        try:
            yield
        finally:
            tasks.app.control.add_consumer(queue, **BOTH_WORKERS)

    def ledger(self, order_id: str) -> dict[str, Any]:
        answer = self.services.get("/ledger", params={"order_id": order_id})
        entry: dict[str, Any] = answer.raise_for_status().json()
        return entry

    def assert_in_force(self, order_id: str) -> None:
        """Hold that the order took effect, every part of it exactly once."""
        entry = self.ledger(order_id)
        assert entry["reserved"] == {PRODUCT: 2}
        assert (entry["charged"], entry["charges"] - entry["refunds"]) == ("7.00", 1)
        assert (entry["shipments"], entry["duplicates"]) == (1, 0)

    def assert_nothing_in_force(self, order_id: str) -> None:
        """Hold that whatever was done is undone, exactly once."""
        entry = self.ledger(order_id)
        assert (entry["reserved"], entry["charged"], entry["shipments"]) == ({}, "0.00", 0)
        assert entry["charges"] == entry["refunds"]
        assert (entry["notifications"], entry["duplicates"]) == (0, 0)


def use(system: OrderSystem) -> None:
    """Make this process start and read sagas there."""
    urls = system.urls
    tasks.app.conf.update(
        broker_url=urls["CELERY_BROKER_URL"], amends_backend=urls["AMENDS_BACKEND"]
    )
    tasks.app.close()  # its connections lead to the broker before
    tasks.app.amqp._producer_pool = None
    tasks.app.set_current()
    tasks.app.set_default()
    for breaker in breakers():
        breaker._last = None  # it reads an app's settings once


@pytest.fixture
def retrying(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let activities, or their compensations, be tried otherwise: a saga keeps what it was started with."""

    def change(**plans: dict[str, Any]) -> None:
        def changed(step: StepPlan) -> StepPlan:
            had = {kind: getattr(step, kind) for kind in plans}
            return step.model_copy(
                update={
                    kind: had[kind] and had[kind].model_copy(update=plans[kind]) for kind in plans
                }
            )

        before = order_saga.itinerary
        stages = tuple((changed(step),) for (step,) in before.stages)
        after = Itinerary(
            saga=before.saga,
            timeout=before.timeout,
            stages=stages,
            output=before.output,
            dispatch=before.dispatch,
        )
        monkeypatch.setattr(order_saga, "itinerary", after)

    return change


@pytest.fixture
def dispatch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let orders be dispatched as the parameter says."""
    before = order_saga.itinerary
    after = Itinerary(
        saga=before.saga,
        timeout=before.timeout,
        stages=before.stages,
        output=before.output,
        dispatch=request.param,
    )
    monkeypatch.setattr(order_saga, "itinerary", after)
    return after.dispatch


@pytest.fixture(scope="session")
def redis_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrderSystem]:
    """Run the system as it is delivered, with Flower."""
    with whole_system(tmp_path_factory.mktemp("stack"), flower=True) as urls:
        yield OrderSystem(urls)


@pytest.fixture(scope="session")
def rabbitmq_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrderSystem]:
    """Run another system, whose broker is a RabbitMQ."""
    skip_without(find_rabbitmq)
    with whole_system(tmp_path_factory.mktemp("rabbitmq"), flower=True, broker="rabbitmq") as urls:
        yield OrderSystem(urls)


@pytest.fixture(scope="session")
def threads_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrderSystem]:
    """Run another system, whose workers have threads."""
    with whole_system(tmp_path_factory.mktemp("threads"), pool="threads") as urls:
        yield OrderSystem(urls)


def without_faults(request: pytest.FixtureRequest) -> Iterator[OrderSystem]:
    """Give the system that the parameter names, and leave it without faults."""
    system: OrderSystem = request.getfixturevalue(f"{request.param}_system")
    use(system)
    for breaker in breakers():  # what one test's faults open is not to be the next one's affair
        breaker.disable(by="the tests")
    yield system
    system.services.delete("/faults").raise_for_status()


@pytest.fixture(params=["redis", "rabbitmq"])
def system(request: pytest.FixtureRequest) -> Iterator[OrderSystem]:
    """Give the system with each broker."""
    yield from without_faults(request)


@pytest.fixture
def guarded(system: OrderSystem) -> OrderSystem:
    """Give the system with its breakers in force and closed, and no call counted."""
    for breaker in breakers():
        breaker.reset(by="the tests")
    time.sleep(REMEMBERED)  # a worker does not ask anew sooner, and no event tells that it will
    system.services.delete("/calls").raise_for_status()
    return system


@pytest.fixture(params=["redis", "rabbitmq", "threads"])
def each_system(request: pytest.FixtureRequest) -> Iterator[OrderSystem]:
    """Give the system with each broker, and with workers of another kind."""
    yield from without_faults(request)
