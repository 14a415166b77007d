"""Starts through SQLAlchemy's asyncio extension, which never keep the loop."""

import asyncio
import contextlib
import threading

import pytest
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)

from amends import SagaStatus, UnknownSaga, get
from amends.outbox import delivery
from amends.testing import Rehearsal
from tests.support.engine_saga import Job, Part, job_saga
from tests.support.shops import SQLAlchemyShop

DRIVERS = ("postgresql+asyncpg", "postgresql+psycopg", "sqlite+aiosqlite")


@pytest.fixture(params=DRIVERS)
def shop(request, tmp_path):
    """Give the same database by a driver that is no asyncio one."""
    if request.param.startswith("sqlite"):
        shop = SQLAlchemyShop(f"sqlite:///{tmp_path / 'shop.sqlite3'}")
    else:
        postgres = request.getfixturevalue("postgres")
        shop = SQLAlchemyShop(f"postgresql+psycopg://{postgres.address}")
    shop.async_url = shop.engine.url.set(drivername=request.param)
    yield shop
    shop.close()


@pytest.fixture
def run(shop):
    """Run a coroutine function with an engine of its loop."""

    def run(act):
        async def with_engine():
            engine = create_async_engine(shop.async_url)
            try:
                return await act(engine)
            finally:
                await engine.dispose()

        return asyncio.run(with_engine())

    return run


def job(saga_id):
    return Job(job_id=saga_id)


def is_known(saga_id):
    with contextlib.suppress(UnknownSaga):
        return get(saga_id).status is SagaStatus.PENDING
    return False


async def until(holds):
    for _ in range(3000):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come true")


def test_a_committed_start_is_delivered_and_a_rolled_back_one_is_not(app, shop, run, saga_id):
    async def act(engine):
        async with AsyncSession(engine) as session:
            handle = await job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-1")
            assert handle.id == f"{saga_id}-1"
            await session.commit()
            await job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-2")
            await session.rollback()
            async with session.begin_nested() as savepoint:
                await job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-3")
                await savepoint.rollback()
            await job_saga.start_in(session, job(saga_id), saga_id=f"{saga_id}-4")
            await session.commit()
        async with engine.begin() as connection:
            await job_saga.start_in(connection, job(saga_id), saga_id=f"{saga_id}-5")
        await until(lambda: shop.left() == [])

    run(act)
    assert [is_known(f"{saga_id}-{n}") for n in range(1, 6)] == [True, False, False, True, True]


def test_the_loop_goes_on_while_the_log_stands_still(app, shop, run, saga_id, monkeypatch):
    begun, goes_on, start = threading.Event(), threading.Event(), delivery.start_entry

    def stand_still(*arguments):
        begun.set()
        assert goes_on.wait(60)
        start(*arguments)

    monkeypatch.setattr(delivery, "start_entry", stand_still)

    async def act(engine):
        async with AsyncSession(engine) as session:
            await job_saga.start_in(session, job(saga_id), saga_id=saga_id)
            await session.commit()
        await until(begun.is_set)  # it hangs now, and this loop does not
        goes_on.set()
        await until(lambda: shop.left() == [])

    run(act)
    assert is_known(saga_id)


def test_a_wait_with_a_timeout_is_for_the_delivery_too(app, shop, run, saga_id, monkeypatch):
    goes_on, start = threading.Event(), delivery.start_entry

    def stand_still(*arguments):
        assert goes_on.wait(60)
        start(*arguments)

    monkeypatch.setattr(delivery, "start_entry", stand_still)

    async def act(engine):
        async with AsyncSession(engine) as session:
            handle = await job_saga.start_in(session, job(saga_id), saga_id=saga_id)
            await session.commit()
        with pytest.raises(TimeoutError, match=r"is not in the log after 0\.1 s"):
            await handle.wait_async(timeout=0.1, until="a")
        with pytest.raises(UnknownSaga):
            await handle.wait_async()
        waits = asyncio.create_task(handle.wait_async(timeout=60.0, until="a"))
        await asyncio.sleep(0)
        goes_on.set()
        await until(lambda: is_known(saga_id))
        handle.skip("a", output=Part(part="a"))
        await waits
        await until(lambda: shop.left() == [])

    run(act)


def test_a_wait_for_a_start_that_was_rolled_back_ends(app, shop, run, saga_id):
    async def act(engine):
        async with AsyncSession(engine) as session:
            handle = await job_saga.start_in(session, job(saga_id), saga_id=saga_id)
            await session.rollback()
        with pytest.raises(TimeoutError, match="was not committed"):
            handle.wait(timeout=0.1)
        with pytest.raises(UnknownSaga):
            handle.wait()

    run(act)


def test_a_loop_that_ends_before_the_delivery_leaves_the_entry(app, shop, run, saga_id):
    async def act(engine):
        async with AsyncSession(engine) as session:
            await job_saga.start_in(session, job(saga_id), saga_id=saga_id)
            await session.commit()

    run(act)
    left = [each for each, _ in shop.left()]
    assert is_known(saga_id) or left == [saga_id]


def test_a_scoped_session_is_a_session(app, shop, run, saga_id):
    async def act(engine):
        session = async_scoped_session(async_sessionmaker(engine), lambda: 1)
        await job_saga.start_in(session, job(saga_id), saga_id=saga_id)
        await session.commit()
        await session.remove()
        await until(lambda: shop.left() == [])

    run(act)
    assert is_known(saga_id)


def test_a_rehearsal_plays_the_saga_in_the_commit(app, shop, run, saga_id):
    async def act(engine):
        with Rehearsal() as rehearsal:
            async with AsyncSession(engine) as session:
                handle = await job_saga.start_in(session, job(saga_id), saga_id=saga_id)
                assert rehearsal.done == []
                await session.commit()
            assert handle.status is SagaStatus.COMPLETED
            assert rehearsal.done == ["a", "b", "c"]

    run(act)
    assert shop.left() == []


def test_in_a_rehearsal_nobody_waits_for_a_start_that_was_rolled_back(app, shop, run, saga_id):
    async def act(engine):
        with Rehearsal():
            async with AsyncSession(engine) as session:
                handle = await job_saga.start_in(session, job(saga_id), saga_id=saga_id)
                await session.rollback()
            with pytest.raises(UnknownSaga):
                await handle.wait_async(timeout=3600.0)

    run(act)
