"""What the doctor finds in an outbox."""

import threading
import time

import pytest
from celery import Celery
from sqlalchemy import MetaData, create_engine

from amends.backend.settings import Settings
from amends.diagnosis.deployment import outbox_rules
from amends.diagnosis.deployment.findings import Severity
from amends.outbox import backlog, table
from amends.outbox.backlog import OutboxState, read_outbox
from amends.outbox.entry import Entry
from amends.outbox.sqlalchemy_database import SQLAlchemyDatabase
from amends.outbox.sqlalchemy_table import outbox_table
from amends.outbox.table import Backlog


def findings(outbox):
    return {
        finding.code: finding.what
        for rule in outbox_rules.RULES
        for finding in rule.apply(outbox)
        if finding.severity is not Severity.OK
    }


def test_nothing_is_wrong_without_an_outbox_and_with_an_empty_one():
    assert findings(OutboxState()) == {}
    assert findings(OutboxState(backlog=Backlog())) == {}


def test_an_entry_that_waits_for_long_is_told():
    sagas = ("order", "refund")
    fresh, late = (
        Backlog(waiting=2, oldest_waiting=age, sagas_waiting=sagas) for age in (50.0, 70.0)
    )
    assert findings(OutboxState(backlog=fresh)) == {}
    assert findings(OutboxState(backlog=late)) == {
        "outbox.waiting": "2 starts wait in the outbox, the first for 70 s; their sagas: order, refund"
    }


def test_each_entry_that_fails_is_told_with_its_error():
    errors = (("order-1", "no saga 'order' is defined"),)
    found = Backlog(failing=1, oldest_failing=1.0, errors=errors)
    assert findings(OutboxState(backlog=found)) == {
        "outbox.failing": "saga order-1 cannot be started from the outbox: no saga 'order' is defined"
    }


@pytest.mark.parametrize(
    ("url", "is_wrong"),
    [
        ("postgresql+psycopg://shop:secret@db/shop", True),
        ("postgresql+psycopg://shop:se[cret@db/shop", True),
        ("postgresql+psycopg://db/shop?user=shop&password=secret", True),
        ("postgresql+psycopg://shop@db:5432/shop", False),
        ("postgresql+psycopg://shop@[::1]:5432/shop", False),
        ("env://DATABASE_URL", False),
        (None, False),
    ],
)
def test_a_password_where_flower_shows_it_is_told(url, is_wrong):
    settings = Settings(backend="redis://log", outbox_url=url)
    [finding] = outbox_rules.password.apply(settings)
    assert (finding.severity is Severity.WARNING) is is_wrong
    assert "secret" not in finding.what


def app_with(url):
    app = Celery("shop", set_as_current=False)
    app.conf.update(amends_backend="memory://outbox-rules", amends_outbox_url=url)
    return app


def test_a_real_outbox_is_measured(tmp_path):
    url = f"sqlite:///{tmp_path / 'shop.sqlite3'}"
    metadata, engine = MetaData(), create_engine(url)
    outbox_table(metadata)
    metadata.create_all(engine)
    entry = Entry.of("order-1", "order", "{}", at=None, after=None)
    with SQLAlchemyDatabase(engine).transaction() as connection:
        table.write(connection, entry, namespace="")
        table.postpone(connection, entry, due_at=time.time(), error="no")
    found = read_outbox(app_with(url))
    assert found.reason == ""
    assert (found.backlog.waiting, found.backlog.failing) == (0, 1)
    assert found.backlog.errors == (("order-1", "no"),)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite://", "no table amends_outbox"),
        ("postgresql+psycopg://nobody@127.0.0.1:1/shop", "did not let the outbox be read"),
    ],
)
def test_an_outbox_that_cannot_be_read_is_a_finding(url, reason):
    outbox = read_outbox(app_with(url), patience=60.0)
    assert reason in outbox.reason
    assert findings(outbox).keys() == {"outbox.away"}


def test_a_database_that_hangs_keeps_nobody(monkeypatch):
    goes_on = threading.Event()
    monkeypatch.setattr(backlog, "_measure", lambda _: goes_on.wait(60))
    try:
        outbox = read_outbox(app_with("sqlite://"), patience=0.01)
        assert outbox.reason == "the database at amends_outbox_url did not answer within 0.01 s"
    finally:
        goes_on.set()


def test_a_database_that_hangs_has_one_thread_hang(monkeypatch):
    begun, goes_on = [], threading.Event()

    def hang(app):
        begun.append(app)
        goes_on.wait(60)
        return Backlog(waiting=len(begun))

    monkeypatch.setattr(backlog, "_measure", hang)
    app = app_with("sqlite://")
    try:
        for _ in range(3):
            assert "did not answer" in read_outbox(app, patience=0.01).reason
        assert len(begun) == 1
    finally:
        goes_on.set()
    backlog._looks[app].join(60)  # noqa: SLF001 - its thread
    assert read_outbox(app, patience=60.0).backlog.waiting == 2
