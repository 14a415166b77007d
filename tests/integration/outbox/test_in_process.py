"""Where sagas run in the process that starts them, in a rehearsal or eagerly, a commit plays them."""

import contextlib

import pytest
from sqlalchemy import MetaData, create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from amends import Refused, SagaStatus, UnknownSaga
from amends.outbox.sqlalchemy_table import outbox_table
from amends.testing import Rehearsal
from tests.support.engine_saga import Job, job_saga
from tests.support.shops import SQLAlchemyShop


class RolledBackError(Exception):
    pass


def job(saga_id):
    return Job(job_id=saga_id)


@pytest.fixture
def rehearsal(app):
    with Rehearsal() as rehearsal:
        yield rehearsal


def test_a_rehearsal_plays_what_is_committed_and_nothing_else(rehearsal, shop, saga_id):
    with shop.transaction() as connection:
        handle = shop.start(connection, job_saga, job(saga_id), saga_id=saga_id)
        assert rehearsal.done == []
    assert handle.status is SagaStatus.COMPLETED
    with contextlib.suppress(RolledBackError), shop.transaction() as connection:
        shop.start(connection, job_saga, job(saga_id), saga_id=f"{saga_id}-2")
        raise RolledBackError
    assert rehearsal.done == ["a", "b", "c"]
    assert shop.left() == []


def test_a_rehearsal_plays_its_failures_through_the_outbox_too(rehearsal, shop, saga_id):
    rehearsal.at(job_saga, "c").raises(Refused("no"))
    with shop.transaction() as connection:
        handle = shop.start(connection, job_saga, job(saga_id), saga_id=saga_id)
    assert handle.status is SagaStatus.COMPENSATED
    assert rehearsal.undone == ["b", "a"]


def test_a_delayed_start_of_a_rehearsal_begins_when_the_clock_is_moved(rehearsal, shop, saga_id):
    with shop.transaction() as connection:
        handle = shop.start(connection, job_saga, job(saga_id), saga_id=saga_id, after=3600.0)
    assert handle.status is SagaStatus.PENDING
    rehearsal.advance(3601.0)
    assert handle.status is SagaStatus.COMPLETED


def test_a_session_in_a_test_that_rolls_everything_back_plays_what_it_commits(
    rehearsal, tmp_path, saga_id
):
    shop = SQLAlchemyShop(f"sqlite:///{tmp_path / 'shop.sqlite3'}")
    with shop.engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            handle = job_saga.start_in(session, job(saga_id), saga_id=saga_id)
            session.commit()
            assert handle.status is SagaStatus.COMPLETED
        outer.rollback()


def test_a_database_in_memory_is_enough(rehearsal, saga_id):
    metadata = MetaData()
    outbox_table(metadata)
    for pool in ({}, {"poolclass": StaticPool}):
        engine = create_engine("sqlite://", **pool)
        metadata.create_all(engine)
        with Session(engine) as session, session.begin():
            handle = job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-{len(pool)}")
        assert handle.status is SagaStatus.COMPLETED


def test_a_connection_in_memory_needs_a_static_pool(rehearsal, saga_id):
    metadata, engine = MetaData(), create_engine("sqlite://", poolclass=StaticPool)
    outbox_table(metadata)
    metadata.create_all(engine)
    with engine.begin() as connection:
        handle = job_saga.start_in(connection, job(saga_id), saga_id=saga_id)
    assert handle.status is SagaStatus.COMPLETED


def test_eager_tasks_run_in_the_commit(app, shop, saga_id):
    app.conf.task_always_eager = True
    try:
        with shop.transaction() as connection:
            handle = shop.start(connection, job_saga, job(saga_id), saga_id=saga_id, after=3600.0)
            with pytest.raises(UnknownSaga):
                _ = handle.status
        assert handle.status is SagaStatus.COMPLETED  # at once, as Celery's own countdowns
    finally:
        app.conf.task_always_eager = False
    assert shop.left() == []
