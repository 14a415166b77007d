"""A shop in each database, by each library that the outbox works on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from amends.outbox import delivery
from amends.outbox.relay import Relay
from demo.ports import LOOPBACK
from tests.support.databases import (
    SERVANT,
    MariaServer,
    PostgresServer,
    own_mariadb,
    own_postgres,
)
from tests.support.shops import DjangoShop, Shop, SQLAlchemyShop

POSTGRES = ("postgres session", "postgres connection", "postgres django")
MARIADB = ("mariadb session",)
SQLITE = ("sqlite session", "sqlite connection", "sqlite django")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one process of xdist: each would have database servers of its own."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("outbox"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with own_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaServer]:
    with own_mariadb() as server:
        yield server


@pytest.fixture(scope="module", params=[*POSTGRES, *MARIADB, *SQLITE])
def every_shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """Give a shop of each kind in turn."""
    shop = make(request.param, request, tmp_path_factory.mktemp("shop") / "shop.sqlite3")
    yield shop
    shop.close()


@pytest.fixture
def shop(every_shop: Shop) -> Shop:
    """Give a shop of each kind, with an empty outbox."""
    every_shop.empty()
    return every_shop


def make(kind: str, request: pytest.FixtureRequest, file: Path) -> Shop:
    database, library = kind.split()
    if database == "sqlite":
        if library == "django":
            return DjangoShop(kind, ENGINE="django.db.backends.sqlite3", NAME=str(file))
        return SQLAlchemyShop(f"sqlite:///{file}", session=library == "session")
    server = request.getfixturevalue(database)
    if library == "django":
        engine = "django.db.backends.postgresql"
        where = {"HOST": LOOPBACK, "PORT": server.port, "USER": SERVANT, "NAME": "postgres"}
        return DjangoShop(kind, ENGINE=engine, **where)
    driver = {"postgres": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}[database]
    return SQLAlchemyShop(f"{driver}://{server.address}", session=library == "session")


@pytest.fixture
def relay(app: Celery, shop: Shop) -> Relay:
    """Give a relay for which everything in the outbox is due."""
    return Relay(app, shop.database, now=lambda: delivery.time.time() + 30.0)


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test's outage leave the next one's entries to a relay."""
    monkeypatch.setattr(delivery.threads, "_rests_until", 0.0)
