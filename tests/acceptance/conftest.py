"""The whole system on this machine: real Redis, services, prefork workers and Flower."""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

import tasks
from amends import Handle
from local import stack
from sagas.order import OrderResult, order_saga
from tasks.orders import Order, OrderItem

PRODUCT = "book"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep them in one worker of pytest: one system is enough for two cores."""
    for item in items:
        if "acceptance" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("acceptance"))


@pytest.fixture(scope="session")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run the system and give its URLs."""
    directory = tmp_path_factory.mktemp("stack")
    environment = {"FLOWER_UNAUTHENTICATED_API": "true"}
    with stack.running(directory, flower=True, environment=environment) as urls:
        yield urls


class OrderSystem:
    """What a customer and a fault-finder do to the system."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls
        self.services = httpx.Client(base_url=urls["SERVICES_URL"], timeout=30.0)
        self.set_stock(PRODUCT, 1_000_000)

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


@pytest.fixture(scope="session")
def running_system(urls: dict[str, str]) -> OrderSystem:
    return OrderSystem(urls)


@pytest.fixture
def system(running_system: OrderSystem) -> Iterator[OrderSystem]:
    """Give the system without faults, and leave it so."""
    use(running_system)
    yield running_system
    running_system.services.delete("/faults").raise_for_status()


@pytest.fixture(scope="session")
def threaded_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrderSystem]:
    """Run another system, whose workers have threads."""
    with stack.running(tmp_path_factory.mktemp("threads"), pool="threads") as urls:
        yield OrderSystem(urls)


@pytest.fixture(params=["prefork", "threads"])
def each_system(request: pytest.FixtureRequest) -> Iterator[OrderSystem]:
    """Give the system with workers of each kind."""
    name = "running_system" if request.param == "prefork" else "threaded_system"
    system: OrderSystem = request.getfixturevalue(name)
    use(system)
    yield system
    system.services.delete("/faults").raise_for_status()
