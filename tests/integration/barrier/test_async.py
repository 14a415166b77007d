"""The barrier on SQLAlchemy's asyncio extension."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from amends.barrier import barrier, forget, undoing
from amends.errors import ConfigurationError, Refused
from tests.support.receivers import READ, WRITE, SQLAlchemyReceiver, until_done

DRIVERS = ("postgresql+asyncpg", "postgresql+psycopg", "sqlite+aiosqlite")


@pytest.fixture(params=DRIVERS)
def url(request, tmp_path):
    if request.param.startswith("sqlite"):
        address = f"{tmp_path / 'receiver.sqlite3'}"
        SQLAlchemyReceiver(f"sqlite:///{address}").close()
        return f"{request.param}:///{address}"
    postgres = request.getfixturevalue("postgres")
    SQLAlchemyReceiver(f"postgresql+psycopg://{postgres.address}").close()
    return f"{request.param}://{postgres.address}"


@pytest.fixture
def run(url):
    """Run a coroutine function with an engine of its loop."""

    def run(act):
        async def with_engine():
            engine = create_async_engine(url)
            try:
                return await act(engine)
            finally:
                await engine.dispose()

        return asyncio.run(with_engine())

    return run


async def make(engine, key, *, fails=False):
    async with AsyncSession(engine) as session:
        async with barrier(session, key) as first:
            if first:
                await session.execute(text(WRITE.format(key, "made")))
                first.keep(key)
            if fails:
                raise ZeroDivisionError
        await session.commit()
        return first.answer


async def undo(engine, key):
    async with engine.begin() as connection, undoing(connection, key) as took_effect:
        if took_effect:
            assert took_effect.answer == key
            await connection.execute(text(WRITE.format(key, "undone")))
    return bool(took_effect)


async def book(engine, key):
    async with engine.connect() as connection:
        return sorted(row[0] for row in await connection.execute(text(READ.format(key))))


def test_the_cases_hold_one_after_the_other(run, key):
    async def act(engine):
        with pytest.raises(ZeroDivisionError):
            await make(engine, key, fails=True)
        assert [await make(engine, key) for _ in range(2)] == [key] * 2
        assert [await undo(engine, key) for _ in range(2)] == [True, False]
        with pytest.raises(Refused):
            await make(engine, key)
        assert await undo(engine, f"{key}:null") is False
        with pytest.raises(Refused):
            await make(engine, f"{key}:null")
        return await book(engine, key)

    assert run(act) == ["made", "undone"]


def test_duplicates_at_once_make_one_effect(run, key):
    async def patiently(engine):
        return await asyncio.gather(*(make(engine, key) for _ in range(4)))

    async def act(engine):
        return await patiently(engine), await book(engine, key)

    assert until_done(run, act) == ([key] * 4, ["made"])


def test_a_cancelled_call_leaves_no_row(run, key):
    async def act(engine):
        entered = asyncio.Event()

        async def hang():
            async with AsyncSession(engine) as session, barrier(session, key):
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await make(engine, key)

    assert run(act) == key


def test_a_commit_inside_of_the_block_is_told(run, key):
    async def act(engine):
        async with AsyncSession(engine) as session:
            with pytest.raises(RuntimeError, match="ended inside of the barrier's block"):
                async with barrier(session, key):
                    await session.commit()

    run(act)


def test_with_is_refused_for_it_and_async_with_for_others(run, key, tmp_path):
    async def act(engine):
        async with AsyncSession(engine) as session:
            with pytest.raises(RuntimeError, match="use 'async with'"), barrier(session, key):
                pass
        with pytest.raises(RuntimeError, match="use 'with'"):
            async with barrier("default", key):
                pass

    run(act)


def test_a_connection_that_commits_each_statement_is_refused(run, key):
    async def act(engine):
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(RuntimeError, match="AUTOCOMMIT"):
            await make(autocommit, key)

    run(act)


def test_rows_are_forgotten_by_run_sync(run):
    async def act(engine):
        async with AsyncSession(engine) as session:
            return await session.run_sync(forget)

    assert run(act) == 0


def test_a_database_without_the_table_is_told(run, key):
    async def act(engine):
        async with engine.begin() as connection:
            await connection.execute(text("DROP TABLE amends_barrier"))
        with pytest.raises(ConfigurationError, match="no table amends_barrier"):
            await make(engine, key)

    run(act)
