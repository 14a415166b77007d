"""What a commit waits for, what a connection that is kept delivers, and in whose context."""

import contextlib
import contextvars
import subprocess
import sys
import threading
import time

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import create_engine, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from amends import UnknownSaga, get
from amends.outbox import delivery, sqlalchemy_outbox, table
from amends.outbox.entry import Entry
from amends.testing import Rehearsal
from demo.programs import ROOT
from tests.support.engine_saga import Job, job_saga
from tests.support.eventually import eventually
from tests.support.shops import DjangoShop, SQLAlchemyShop


def job(saga_id):
    return Job(job_id=saga_id)


def is_known(saga_id):
    with contextlib.suppress(UnknownSaga):
        return bool(get(saga_id).status)
    return False


@pytest.fixture
def lite(tmp_path):
    """Give a shop on SQLite, with a pool of one connection that is waited for long."""
    url = f"sqlite:///{tmp_path / 'shop.sqlite3'}"
    shop = SQLAlchemyShop(url, pool_size=1, max_overflow=0, pool_timeout=3600)
    yield shop
    shop.close()


def test_a_pool_that_is_used_up_keeps_no_commit(app, lite, saga_id, monkeypatch):
    taken, goes_on = threading.Event(), threading.Event()

    def take_the_connection():
        with lite.engine.connect():
            taken.set()
            goes_on.wait(60)

    deliver, other = delivery.deliver, threading.Thread(target=take_the_connection)

    def once_it_is_taken(*arguments, **how):
        other.start()
        assert taken.wait(60)
        deliver(*arguments, **how)

    monkeypatch.setattr(sqlalchemy_outbox, "deliver", once_it_is_taken)
    try:
        with Session(lite.engine) as session:
            job_saga.start_in(session, job(saga_id), saga_id=saga_id)
            session.commit()
            assert not goes_on.is_set()  # and yet the commit has returned
    finally:
        goes_on.set()
    other.join(60)
    assert eventually(lambda: is_known(saga_id))
    assert eventually(lambda: lite.left() == [])


def test_a_connection_that_is_kept_delivers_at_its_next_start_and_remembers_no_more(
    app, lite, saga_id
):
    shop = SQLAlchemyShop(str(lite.engine.url))
    with shop.engine.connect() as connection:
        for n in range(4):
            job_saga.start_in(connection, job(saga_id), saga_id=f"{saga_id}-{n}")
            connection.rollback() if n % 2 else connection.commit()
        kept = connection.info["amends_outbox"].starts
        assert [each.saga_id for entries in kept.values() for each in entries] == [f"{saga_id}-3"]
        assert eventually(lambda: is_known(f"{saga_id}-2"))
    assert eventually(lambda: shop.left() == [])
    assert [is_known(f"{saga_id}-{n}") for n in range(4)] == [True, False, True, False]
    shop.close()


def test_a_rehearsal_plays_a_kept_connections_starts_when_it_goes_back(app, lite, saga_id):
    shop = SQLAlchemyShop(str(lite.engine.url))
    with Rehearsal() as rehearsal:
        with shop.engine.connect() as connection:
            for n in range(2):
                connection.execute(text("UPDATE amends_outbox SET tries = 0"))
                job_saga.start_in(connection, job(saga_id), saga_id=f"{saga_id}-{n}")
                connection.commit()
            assert rehearsal.done == []
        assert rehearsal.done == ["a", "b", "c"] * 2
    shop.close()


def test_a_start_runs_in_the_context_of_its_caller(app, shop, saga_id, monkeypatch):
    trace, seen = contextvars.ContextVar("trace", default=None), []

    def start(*_):
        seen.append(trace.get())

    monkeypatch.setattr(delivery, "start_entry", start)

    def order():
        trace.set("trace-1")
        with shop.transaction() as connection:
            shop.start(connection, job_saga, job(saga_id), saga_id=saga_id)

    contextvars.copy_context().run(order)
    assert eventually(lambda: seen == ["trace-1"])
    assert eventually(lambda: shop.left() == [])


@pytest.mark.parametrize("library", ["session", "django"])
def test_a_soft_time_limit_passes_through_the_wait(app, lite, saga_id, monkeypatch, library):
    def limit(*_):
        raise SoftTimeLimitExceeded

    file = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(lite.engine.url.database)}
    shop = lite if library == "session" else DjangoShop("limited", **file)
    monkeypatch.setattr(delivery.Future, "result", limit)  # a signal comes during the wait
    with pytest.raises(SoftTimeLimitExceeded), shop.transaction() as connection:
        shop.start(connection, job_saga, job(saga_id), saga_id=saga_id)


def test_a_process_that_stood_still_for_the_retention_starts_nothing(app, lite, saga_id, warnings):
    document = Entry.of(saga_id, "job", job(saga_id).model_dump_json(), at=None, after=None)
    old = Entry(
        saga_id=saga_id,
        saga="job",
        document=document.document,
        written_at=time.time() - app.conf.get("amends_retention", 7 * 86400.0) - 60.0,
    )
    with lite.database.transaction() as connection:
        table.write(connection, old, namespace="")
    delivery.deliver(app, lite.database, [old], waits=True)
    assert not is_known(saga_id)
    assert "longer than amends_retention" in warnings.text


def test_a_start_at_the_end_of_the_process_is_left_with_one_line(app, lite, saga_id):
    code = f"""
import atexit
from celery import Celery
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from tests.support.engine_saga import Job, job_saga
app = Celery("end", broker={app.conf.broker_url!r})
app.conf.amends_backend = {app.conf.amends_backend!r}
app.set_default()
engine = create_engine("{lite.engine.url}")
def late():
    with Session(engine) as session, session.begin():
        job_saga.start_in(session, Job(job_id="late"), saga_id="{saga_id}-1")
    with engine.begin() as connection:
        job_saga.start_in(connection, Job(job_id="late"), saga_id="{saga_id}-2")
atexit.register(late)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "Traceback" not in ran.stderr
    assert ran.stderr.count("left to the outbox's relay: this process ends") == 2
    assert [each for each, _ in lite.left()] == [f"{saga_id}-1", f"{saga_id}-2"]


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"
    order_id: Mapped[str] = mapped_column(primary_key=True)


def test_a_session_with_binds_starts_through_the_connection_of_the_order(app, tmp_path, saga_id):
    main, orders = (SQLAlchemyShop(f"sqlite:///{tmp_path / name}") for name in ("main", "orders"))
    Base.metadata.create_all(orders.engine)
    for ends in ("rollback", "commit"):
        with Session(main.engine, binds={Order: orders.engine}) as session:
            session.add(Order(order_id=saga_id))
            connection = session.connection(bind_arguments={"mapper": Order})
            job_saga.start_in(connection, job(saga_id), saga_id=f"{saga_id}-{ends}")
            getattr(session, ends)()
    assert eventually(lambda: is_known(f"{saga_id}-commit"))
    assert not is_known(f"{saga_id}-rollback")
    assert main.left() == []
    assert eventually(lambda: orders.left() == [])


def test_misuse_of_a_session_is_no_outage_of_the_database(app, saga_id):
    engine = create_engine("sqlite://")
    with Session(binds={Order: engine}) as session, pytest.raises(InvalidRequestError):
        job_saga.start_in(session, job(saga_id))
