"""A receiver in each database, by each library that the barrier works on."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.ports import LOOPBACK
from tests.support.databases import (
    SERVANT,
    MariaServer,
    PostgresServer,
    own_mariadb,
    own_postgres,
)
from tests.support.receivers import DjangoReceiver, Receiver, SQLAlchemyReceiver

POSTGRES = ("postgres session", "postgres connection", "postgres django")
MARIADB = ("mariadb session",)
SQLITE = ("sqlite session", "sqlite django")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one process of xdist: each would have database servers of its own."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("databases"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with own_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaServer]:
    with own_mariadb() as server:
        yield server


@pytest.fixture(scope="module", params=[*POSTGRES, *MARIADB, *SQLITE])
def receiver(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Receiver]:
    """Give a receiver of each kind in turn, with an empty table of the barrier."""
    receiver = make(
        request.param, request, tmp_path_factory.mktemp("receiver") / "receiver.sqlite3"
    )
    yield receiver
    receiver.close()


def make(kind: str, request: pytest.FixtureRequest, file: Path) -> Receiver:
    database, library = kind.split()
    if database == "sqlite":
        if library == "django":
            return DjangoReceiver(kind, ENGINE="django.db.backends.sqlite3", NAME=str(file))
        return SQLAlchemyReceiver(f"sqlite:///{file}", connect_args={"timeout": 60})
    server = request.getfixturevalue(database)
    if library == "django":
        engine = "django.db.backends.postgresql"
        where = {"HOST": LOOPBACK, "PORT": server.port, "USER": SERVANT, "NAME": "postgres"}
        return DjangoReceiver(kind, ENGINE=engine, **where)
    driver = {"postgres": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}[database]
    return SQLAlchemyReceiver(f"{driver}://{server.address}", session=library == "session")


@pytest.fixture
def key() -> str:
    """Give an idempotency key of the test's own."""
    return uuid.uuid4().hex
