"""A start stands or falls with its caller's transaction, and is delivered right after the commit."""

import contextlib
import threading
import time

import pytest
from celery import Celery
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from amends import ConfigurationError, OutboxUnavailable, SagaStatus, UnknownSaga, get
from amends.backend.celery_apps import current
from amends.errors import LogUnavailable
from amends.outbox import delivery
from tests.support.engine_saga import Job, inline_saga, job_saga
from tests.support.eventually import eventually
from tests.support.shops import DjangoShop, SQLAlchemyShop


class RolledBackError(Exception):
    pass


def job(saga_id, **fields):
    return Job(job_id=saga_id, **fields)


def is_known(saga_id):
    with contextlib.suppress(UnknownSaga):
        return get(saga_id).status is SagaStatus.PENDING
    return False


@pytest.mark.parametrize("saga", [job_saga, inline_saga], ids=lambda saga: saga.name)
def test_a_committed_start_is_delivered_and_its_row_deleted(app, shop, saga, saga_id):
    with shop.transaction() as connection:
        handle = shop.start(connection, saga, job(saga_id), saga_id=saga_id)
        assert handle.id == saga_id
        with pytest.raises(UnknownSaga):
            _ = handle.status
    assert eventually(lambda: is_known(saga_id))
    assert eventually(lambda: shop.left() == [])


def test_a_start_that_is_rolled_back_leaves_nothing(app, shop, relay, saga_id):
    with contextlib.suppress(RolledBackError), shop.transaction() as connection:
        handle = shop.start(connection, job_saga, job(saga_id), saga_id=saga_id)
        raise RolledBackError
    relay.run_once()
    with pytest.raises(UnknownSaga):
        _ = handle.status
    assert shop.left() == []


def test_a_start_follows_its_savepoint(app, shop, relay, saga_id):
    with shop.transaction() as connection:
        with contextlib.suppress(RolledBackError), shop.savepoint(connection):
            shop.start(connection, job_saga, job(saga_id), saga_id=f"{saga_id}-rolled-back")
            raise RolledBackError
        with shop.savepoint(connection):
            shop.start(connection, job_saga, job(saga_id), saga_id=f"{saga_id}-released")
    assert eventually(lambda: is_known(f"{saga_id}-released"))
    assert eventually(lambda: shop.left() == [])
    relay.run_once()
    assert not is_known(f"{saga_id}-rolled-back")


def test_each_transaction_of_a_session_is_one_of_its_own(app, shop, saga_id):
    if not isinstance(shop, SQLAlchemyShop):
        pytest.skip("it is about sessions")
    with Session(shop.engine) as session:
        job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-1")
        session.rollback()
        job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-2")
        session.commit()
        job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-3")
        session.close()
    assert [is_known(f"{saga_id}-{n}") for n in (1, 2, 3)] == [False, True, False]
    assert shop.left() == []


def test_the_same_id_in_two_transactions_is_one_saga(app, shop, saga_id):
    for _ in range(2):
        with shop.transaction() as connection:
            shop.start(connection, job_saga, job(saga_id), saga_id=saga_id)
        assert eventually(lambda: shop.left() == [])
    started = [event for event in get(saga_id).history() if event.name == "saga.started"]
    assert len(started) == 1


def test_an_input_that_is_invalid_is_refused_at_once_and_the_transaction_goes_on(
    app, shop, saga_id
):
    with shop.transaction() as connection:
        with pytest.raises(ValueError, match="saga_id"):
            shop.start(connection, job_saga, job(saga_id), saga_id="no id")
        with pytest.raises(ValueError, match="after=-1 is not a number of seconds"):
            shop.start(connection, job_saga, job(saga_id), after=-1)
        with pytest.raises(ValueError, match="Job"):
            shop.start(connection, job_saga, {"amount": "much"})
        shop.start(connection, job_saga, job(saga_id), saga_id=saga_id)
    assert eventually(lambda: is_known(saga_id))


def test_a_delayed_start_begins_as_long_after_it_as_it_said(app, shop, relay, saga_id, monkeypatch):
    monkeypatch.setattr(delivery.threads, "_rests_until", float("inf"))  # left to the relay
    written_at = time.time()
    with shop.transaction() as connection:
        handle = shop.start(connection, job_saga, job(saga_id), saga_id=saga_id, after=3600.0)
    with shop.transaction() as connection:
        shop.execute(connection, "UPDATE amends_outbox SET written_at = written_at - 600")
    relay.run_once()
    begins_at = handle.snapshot().begins_at
    assert written_at + 2990 < begins_at < written_at + 3500  # 600 s of it have passed


def test_a_log_that_is_away_keeps_no_commit_and_loses_no_start(
    app, shop, relay, saga_id, monkeypatch
):
    def fail(*_):
        raise LogUnavailable("it is away")

    with monkeypatch.context() as outage:
        outage.setattr(delivery, "start_entry", fail)
        with shop.transaction() as connection:
            shop.start(connection, job_saga, job(saga_id), saga_id=saga_id)
        assert eventually(lambda: delivery.threads.rest)
    assert [each for each, _ in shop.left()] == [saga_id]
    relay.run_once()
    assert is_known(saga_id)
    assert shop.left() == []


def test_after_an_outage_a_process_asks_the_log_no_more_for_a_while(
    app, shop, relay, saga_id, monkeypatch
):
    asked = []

    def fail(_, entry):
        asked.append(entry.saga_id)
        raise LogUnavailable("it is away")

    with monkeypatch.context() as outage:
        outage.setattr(delivery, "start_entry", fail)
        outage.setattr(delivery, "_REST", 3600.0)
        for n in range(3):
            with shop.transaction() as connection:
                shop.start(connection, job_saga, job(saga_id), saga_id=f"{saga_id}-{n}")
            assert eventually(lambda: delivery.threads.rest)
    assert asked == [f"{saga_id}-0"]
    relay.run_once()
    assert shop.left() == []


def test_a_log_that_stands_still_keeps_a_commit_for_a_moment_only(
    app, shop, relay, saga_id, monkeypatch
):
    goes_on = threading.Event()
    try:
        with monkeypatch.context() as standstill:
            standstill.setattr(delivery, "start_entry", lambda *_: goes_on.wait(60))
            with shop.transaction() as connection:
                shop.start(connection, job_saga, job(saga_id), saga_id=saga_id)
            assert not goes_on.is_set()  # and yet it was committed
            assert [each for each, _ in shop.left()] == [saga_id]
    finally:
        goes_on.set()


def test_an_error_of_the_database_after_the_commit_is_not_the_callers(
    app, shop, saga_id, monkeypatch, warnings
):
    def fail(*_):
        raise OutboxUnavailable("the database did not answer")

    monkeypatch.setattr(delivery.table, "remove", fail)
    with shop.transaction() as connection:
        shop.start(connection, job_saga, job(saga_id), saga_id=saga_id)
    assert eventually(lambda: "are left to the outbox's relay" in warnings.text)
    assert eventually(lambda: is_known(saga_id))


def test_a_bug_in_the_delivery_is_logged_and_not_raised(app, shop, saga_id, monkeypatch, warnings):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(delivery, "start_entry", fail)
    with shop.transaction() as connection:
        shop.start(connection, job_saga, job(saga_id), saga_id=saga_id)
    assert eventually(lambda: saga_id in warnings.text)
    assert [each for each, _ in shop.left()] == [saga_id]


def test_a_database_without_the_table_is_told(app, tmp_path, saga_id):
    missing = pytest.raises(ConfigurationError, match="no table amends_outbox: add a migration")
    with Session(create_engine("sqlite://")) as session, missing:
        job_saga.start_in(session, job(saga_id), saga_id=saga_id)


def test_a_database_that_is_away_is_told_as_an_error_of_ours(app, saga_id):
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    away = pytest.raises(OutboxUnavailable, match="did not take the start of saga")
    with Session(engine) as session, away:
        job_saga.start_in(session, job(saga_id), saga_id=saga_id)


def test_a_connection_that_commits_each_statement_is_refused(app, tmp_path, saga_id):
    url = f"sqlite:///{tmp_path / 'shop.sqlite3'}"
    shop = SQLAlchemyShop(url)
    refused = pytest.raises(RuntimeError, match="AUTOCOMMIT")
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection, refused:
        job_saga.start_in(connection, job(saga_id))
    assert shop.left() == []


def test_a_start_outside_of_atomic_is_refused(app, tmp_path, saga_id):
    shop = DjangoShop(
        "alone", ENGINE="django.db.backends.sqlite3", NAME=str(tmp_path / "shop.sqlite3")
    )
    with pytest.raises(
        RuntimeError, match=r"put both into `with transaction.atomic\(using='alone'"
    ):
        job_saga.start_on_commit(job(saga_id), using="alone")
    assert shop.left() == []
    with pytest.raises(TypeError, match="not 'alone'"):
        job_saga.start_in("alone", job(saga_id))


def test_an_alias_that_is_none_is_refused(app, tmp_path, saga_id):
    DjangoShop("default", ENGINE="django.db.backends.sqlite3", NAME=":memory:")
    with pytest.raises(ConfigurationError, match=r"names 'defaults', and DATABASES has .*default"):
        job_saga.start_on_commit(Job(job_id=saga_id), saga_id=saga_id, using="defaults")


def test_a_scoped_session_is_a_session(app, tmp_path, saga_id):
    shop = SQLAlchemyShop(f"sqlite:///{tmp_path / 'shop.sqlite3'}")
    session = scoped_session(sessionmaker(shop.engine))
    job_saga.start_in(session, job(saga_id), saga_id=saga_id)
    session.commit()
    assert is_known(saga_id)


def test_a_pool_of_one_connection_is_enough(app, tmp_path, saga_id):
    shop = SQLAlchemyShop(
        f"sqlite:///{tmp_path / 'shop.sqlite3'}", pool_size=1, max_overflow=0, pool_timeout=60
    )
    for how in (Session, lambda engine: engine.connect()):
        with how(shop.engine) as connection:
            job_saga.start_in(
                connection, job(saga_id), saga_id=f"{saga_id}-{how.__name__.strip('<>')}"
            )
            connection.commit()
        assert eventually(lambda: shop.left() == [])


def test_a_session_in_the_transaction_of_a_connection_is_delivered_after_that_one(
    app, postgres, saga_id
):
    shop = SQLAlchemyShop(f"postgresql+psycopg://{postgres.address}")
    for ends in ("rollback", "commit"):
        with shop.engine.connect() as connection:
            outer = connection.begin()
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-{ends}")
                session.commit()
            assert not is_known(f"{saga_id}-{ends}")
            getattr(outer, ends)()
    assert eventually(lambda: is_known(f"{saga_id}-commit"))
    assert not is_known(f"{saga_id}-rollback")
    shop.close()


def test_a_commit_in_two_phases_delivers(app, mariadb, saga_id):
    shop = SQLAlchemyShop(f"mariadb+pymysql://{mariadb.address}")
    with Session(shop.engine, twophase=True) as session:
        job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-1")
        session.prepare()
        assert not is_known(f"{saga_id}-1")
        session.commit()
        assert is_known(f"{saga_id}-1")
        job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-2")
        session.prepare()
        session.rollback()
    assert not is_known(f"{saga_id}-2")
    shop.close()


def test_the_starts_of_two_apps_in_one_transaction_go_to_their_own_logs(
    app, redis_url, tmp_path, saga_id
):
    shop = SQLAlchemyShop(f"sqlite:///{tmp_path / 'shop.sqlite3'}")
    other = Celery("other", broker=f"{redis_url}/2", set_as_current=False)
    other.conf.update(amends_backend=f"{redis_url}/3", amends_namespace="other")
    with Session(shop.engine) as session, session.begin():
        job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-1")
        with current(other):
            job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-2")
    assert [is_known(f"{saga_id}-{n}") for n in (1, 2)] == [True, False]
    with current(other):
        assert [is_known(f"{saga_id}-{n}") for n in (1, 2)] == [False, True]
