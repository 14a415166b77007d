"""One server per test session, and for each test a client that leaves no faults behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.services.sandbox_client import Sandbox, ServerProcess, unique


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("services") / "services.db") as server:
        yield server


@pytest.fixture(scope="session")
def client(server: ServerProcess) -> Iterator[Sandbox]:
    """Give the one client: to make one costs more than most of the tests."""
    with Sandbox(server.url) as client:
        yield client


@pytest.fixture
def sandbox(client: Sandbox) -> Iterator[Sandbox]:
    client.set_stock("plentiful", 1_000_000)
    yield client
    client.http.delete("/faults").raise_for_status()


@pytest.fixture
def order_id() -> str:
    return unique("order")


@pytest.fixture
def key(order_id: str) -> str:
    return f"{order_id}:some_step:v1.2"


@pytest.fixture
def product_id() -> str:
    return unique("product")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Give the place of a database for a server of the test's own."""
    return tmp_path / "made" / "when-missing" / "services.db"
