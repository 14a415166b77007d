"""Which database the outbox is in, and whether it skips what is locked."""

import subprocess
import sys
import traceback
from types import SimpleNamespace

import psycopg
import pytest
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError
from sqlalchemy import exc, make_url

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


@pytest.mark.parametrize("url", ["default", make_url("sqlite:///shop.sqlite3")], ids=repr)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ConfigurationError, match="amends_outbox_url is no URL: give it the text"):
        database_of(app_with(url))


def test_a_url_that_cannot_be_read_is_not_quoted(monkeypatch):
    for url in ("shop:secret@db/shop", "postgresql+psycopg://shop:a@b:secret@db:x/shop"):
        monkeypatch.setenv("SHOP", url)
        with pytest.raises(ConfigurationError, match="is no URL of SQLAlchemy's") as told:
            database_of(app_with("env://SHOP"))
        assert "secret" not in "".join(traceback.format_exception(told.value))


def test_psycopg_prepares_no_statement_that_pgbouncer_would_give_to_others(monkeypatch):
    given = {}
    monkeypatch.setattr(psycopg, "connect", lambda *_, **how: given.update(how) or 1 / 0)
    with (
        pytest.raises(ZeroDivisionError),
        database_of(app_with("postgresql+psycopg://shop@db/shop")).transaction(),
    ):
        pass
    assert given["prepare_threshold"] is None


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
    for error in (
        AttributeError,
        SoftTimeLimitExceeded,
        exc.UnboundExecutionError,
        ImproperlyConfigured,
    ):
        with pytest.raises(error), explained("answer"):
            raise error
    for outage in (
        ConnectionRefusedError,
        exc.TimeoutError,
        InterfaceError,
        psycopg.OperationalError,
    ):
        with pytest.raises(OutboxUnavailable, match="did not answer: refused"), explained("answer"):
            raise outage("refused")
