"""docs/barrier.md: its service, its Redis, its SQLite and its migration run as they stand, and its errors are those."""

import asyncio
import re
import sys
from importlib import import_module
from pathlib import Path

import httpx
import pytest
import redis
from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from amends.barrier import RedisBarrier, barrier
from amends.barrier.django_table import CreateTable
from amends.errors import ConfigurationError, Refused
from tests.support.receivers import DjangoReceiver, SQLAlchemyReceiver

PAGE = (Path(__file__).parents[3] / "docs" / "barrier.md").read_text(encoding="utf-8")
ERRORS = re.findall(
    r"^\| [^|]* \| `((?:Runtime|Value|Configuration)Error: [^`]*)`", PAGE, re.MULTILINE
)


def example(text):
    return next(
        each for each in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if text in each
    )


@pytest.fixture
def charges(tmp_path, monkeypatch):
    """Give the page's service, in an empty folder."""
    (tmp_path / "charges.py").write_text(example("FastAPI(lifespan=lifespan)"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield import_module("charges")
    del sys.modules["charges"]


def test_the_service_of_the_page_charges_once_and_refunds_once(charges):
    async def use(client):
        async def charge(**headers):
            told = await client.post("/charges", json={"amount": 7}, headers=headers)
            return told.status_code, told.json().get("transaction_id") or told.json().get("error")

        async def refund(key):
            return (await client.delete(f"/charges/{key}")).status_code

        return [
            *[await charge(**{"Idempotency-Key": key}) for key in "aab"],
            *[await refund(key) for key in "aac"],
            *[await charge(**{"Idempotency-Key": key}) for key in "ac"],
            (await charge())[0],
        ]

    async def run():
        transport = httpx.ASGITransport(charges.api)
        client = httpx.AsyncClient(transport=transport, base_url="http://shop")
        async with charges.lifespan(charges.api), client:
            return await use(client)

    assert asyncio.run(run()) == [
        *[(201, 1), (201, 1), (201, 2)],
        *[200, 200, 200],
        *[(410, "Tombstone")] * 2,
        422,
    ]


def test_the_redis_of_the_page_takes_tea_once(redis_url, key):
    code = example("TAKE = ").replace("redis://localhost:6379/2", f"{redis_url}/9")
    code = code.replace("order-1:reserve", key).replace("stock:tea", f"{key}:tea")
    with redis.Redis.from_url(f"{redis_url}/9") as client:
        client.set(f"{key}:tea", 10)
        names = {}
        exec(code, names)  # noqa: S102 - the page's own
        assert (names["taken"], names["took_effect"]) == ("3", True)
        assert client.get(f"{key}:tea") == b"10"
        with pytest.raises(Refused, match="only 10 are left"):
            RedisBarrier(client).make(f"{key}:2", names["TAKE"], keys=[f"{key}:tea"], args=[11])


def test_the_sqlite_of_the_page_takes_the_lock_at_the_begin(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    names = {"create_engine": create_engine, "event": event}
    exec(example("BEGIN IMMEDIATE"), names)  # noqa: S102 - the page's own
    receiver = SQLAlchemyReceiver("sqlite:///shop.sqlite3")
    with Session(names["engine"]) as session, barrier(session, key) as first:
        assert session.connection().connection.driver_connection.in_transaction
        assert first
    names["engine"].dispose()
    receiver.close()


def test_the_migration_of_the_page_is_one():
    names = {"__name__": "shop.migrations.0008"}
    exec(example("class Migration"), names)  # noqa: S102 - the page's own
    assert isinstance(names["Migration"].operations[0], CreateTable)


def keep_in_a_duplicate(connection, key):
    for _ in range(2):
        with barrier(connection, key) as entered:
            entered.keep(1)


def commit_inside(connection, key):
    with barrier(connection, key):
        connection.commit()


def test_the_errors_that_the_page_shows_are_those_that_people_get(tmp_path):
    key = "order-1:charge"
    url = f"sqlite:///{tmp_path / 'receiver.sqlite3'}"
    receiver = SQLAlchemyReceiver(url)
    empty = create_engine("sqlite://")
    sessions = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))
    DjangoReceiver("default", ENGINE="django.db.backends.sqlite3", NAME=":memory:")

    def enter(connection):
        with barrier(connection, key):
            pass

    async def enter_async(connection):
        async with barrier(connection, key):
            pass

    wrong = [
        lambda: commit_inside(Session(receiver.engine), key),
        lambda: enter(create_engine(url, isolation_level="AUTOCOMMIT").connect()),
        lambda: enter("default"),
        lambda: keep_in_a_duplicate(Session(receiver.engine), f"{key}:2"),
        lambda: enter(Session(empty)),
        lambda: enter(sessions()),
        lambda: asyncio.run(enter_async(async_scoped_session(sessions, lambda: 1))),
        lambda: barrier(None, None),
    ]
    told = []
    for act in wrong:
        with pytest.raises((RuntimeError, ValueError, ConfigurationError)) as error:
            act()
        told.append(f"{error.type.__name__}: {error.value}")
    assert len(ERRORS) == len(told)
    for shown, got in zip(ERRORS, told, strict=True):
        assert got.startswith(shown.removesuffix(" ..."))
    receiver.close()
