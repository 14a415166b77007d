"""Which database the outbox is in, and whether it skips what is locked."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from celery import Celery

from amends.errors import ConfigurationError, OutboxUnavailable
from amends.outbox.adapters import database_of
from amends.outbox.database import explained
from amends.outbox.sqlalchemy_database import SQLAlchemyConnection, SQLAlchemyDatabase
from demo.programs import ROOT


def app_with(url):
    app = Celery("shop", set_as_current=False)
    app.conf.update(amends_backend="memory://outbox", amends_outbox_url=url)
    return app


def test_there_may_be_none():
    assert database_of(app_with(None)) is None


def test_a_url_of_sqlalchemys_is_its_database():
    assert isinstance(database_of(app_with("sqlite:///shop.sqlite3")), SQLAlchemyDatabase)


def test_a_variable_may_hold_it(monkeypatch):
    monkeypatch.setenv("SHOP", "sqlite:///shop.sqlite3")
    assert isinstance(database_of(app_with("env://SHOP")), SQLAlchemyDatabase)
    monkeypatch.delenv("SHOP")
    with pytest.raises(ConfigurationError, match="variable SHOP is not set here"):
        database_of(app_with("env://SHOP"))


def test_what_is_no_url_is_refused():
    with pytest.raises(ConfigurationError, match="amends_outbox_url is no URL"):
        database_of(app_with("default"))


def test_a_driver_for_asyncio_is_refused():
    with pytest.raises(ConfigurationError, match="names asyncpg, a driver for asyncio: give it"):
        database_of(app_with("postgresql+asyncpg://shop@db/shop"))


@pytest.mark.parametrize(
    ("name", "version", "skips"),
    [
        ("postgresql", (13, 0), True),
        ("mysql", (8, 0, 1), True),
        ("mysql", (5, 7, 44), False),
        ("mariadb", (10, 6, 0), True),
        ("mariadb", (10, 5, 9), False),
        ("sqlite", (3, 40), False),
    ],
)
def test_locked_rows_are_skipped_where_the_server_can(name, version, skips):
    dialect = SimpleNamespace(name=name, server_version_info=version, is_mariadb=name == "mariadb")
    connection = SQLAlchemyConnection(SimpleNamespace(dialect=dialect))
    assert ("SKIP LOCKED" in connection.statements.due) is skips


def test_the_engine_is_imported_without_sqlalchemy_and_django():
    missing = (
        "import sys; sys.modules['sqlalchemy'] = sys.modules['django.db'] = None; import amends"
    )
    ran = subprocess.run(
        [sys.executable, "-c", missing], env={"PYTHONPATH": str(ROOT)}, check=False
    )
    assert ran.returncode == 0


def test_a_bug_does_not_look_like_an_outage():
    with pytest.raises(AttributeError), explained("answer"):
        raise AttributeError
    with pytest.raises(OutboxUnavailable, match="did not answer: refused"), explained("answer"):
        raise ConnectionRefusedError("refused")
