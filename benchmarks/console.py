"""Measure how long pages of the console take on a log of SAGAS (1,000,000) sagas, of which STUCK (2,000) are stuck.

``make bench-console`` prints the median and the slowest of ROUNDS (20) requests for each page, in milliseconds.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from argon2 import PasswordHasher
from celery import Celery
from pydantic import BaseModel
from rich.console import Console
from starlette.testclient import TestClient

from amends import RetryPolicy, Saga, Step, activity
from amends.console import application
from amends.definition.states import SagaStatus
from amends.log.queries.listing import store_of
from amends.log.store import Store
from demo.servers import own_redis

SAGAS: Final = int(os.environ.get("SAGAS", "1000000"))
STUCK: Final = int(os.environ.get("STUCK", "2000"))
ROUNDS: Final = int(os.environ.get("ROUNDS", "20"))
_BATCH: Final = 1_000
_FIRST: Final = "order-first"
_ONCE: Final = RetryPolicy(max_attempts=1)


class Order(BaseModel):
    """What a saga is started with."""

    order_id: str
    customer: str
    address: str = "1 Long Lane"


class Result(BaseModel):
    """What a saga comes to."""

    outcome: str


@activity(retry=_ONCE)
def charge(order: Order) -> None:
    """Do nothing."""


@activity(retry=_ONCE)
def refund(order: Order, output: None) -> None:  # noqa: ARG001 - a compensation is given what it undoes
    """Fail: the saga is stuck."""
    raise ConnectionError(f"the bank does not answer for {order.order_id}")


@activity(retry=_ONCE)
def deliver(order: Order) -> None:
    """Fail for one address: the saga turns back."""
    if order.address == "Nowhere":
        raise ValueError("nobody delivers to Nowhere")


order_saga = Saga(
    "order",
    input=Order,
    output=Result,
    search={"customer": "input.customer"},
    steps=[
        Step(charge, compensation=refund, outcome="not_charged"),
        Step(deliver, compensation=None, outcome="not_delivered"),
    ],
)


def fill(app: Celery) -> None:
    """Run sagas until they are stuck, and one to its end, of which the rest are copies."""
    app.conf.task_always_eager = True
    for n in range(STUCK):
        order = Order(order_id=f"stuck-{n}", customer=f"c{n}", address="Nowhere")
        order_saga.start(order, saga_id=f"stuck-{n}")
    order_saga.start(Order(order_id=_FIRST, customer="ada"), saga_id=_FIRST)
    app.conf.task_always_eager = False
    copy(store_of(app), SAGAS - STUCK - 1)


def copy(store: Store, count: int) -> None:
    """Copy a saga that has ended so often, as if each had ended a millisecond before the one after it."""
    client = store.client
    saga, history = store.keys_of(_FIRST)[:2]
    index = store.index_key(store.shard_of(_FIRST), SagaStatus.COMPLETED)
    ended = int(client.zscore(index, _FIRST))
    definitions = client.hgetall(store.definitions_key(store.shard_of(_FIRST)))
    for shard in range(store.shards):
        client.hset(store.definitions_key(shard), mapping=definitions)
        client.hincrby(store.counters_key(shard), "sagas|order|completed", count // store.shards)
    for first in range(0, count, _BATCH):
        pipeline = client.pipeline(transaction=False)
        for n in range(first, min(first + _BATCH, count)):
            own, events = store.keys_of(f"order-{n}")[:2]
            pipeline.copy(saga, own)
            pipeline.copy(history, events)
            shard = store.shard_of(f"order-{n}")
            pipeline.zadd(store.index_key(shard, SagaStatus.COMPLETED), {f"order-{n}": ended - n})
        pipeline.execute()


@contextmanager
def visitor(app: Celery, directory: Path) -> Iterator[TestClient]:
    """Give a client that is signed in."""
    users = directory / "users"
    users.write_text(f"ada:admin:{PasswordHasher().hash('correct horse')}\n", encoding="utf-8")
    app.conf.amends_console = {"users": str(users)}
    with TestClient(application(app), base_url="http://console.test") as client:
        token = client.get("/login").text.split('name="csrftoken" value="')[1].split('"')[0]
        form = {"username": "ada", "password": "correct horse", "csrftoken": token}
        client.post("/login", data=form).raise_for_status()
        yield client


def measure(client: Any, path: str) -> tuple[float, float, int]:
    """Return the median and the slowest of all rounds in milliseconds, and the size of the page."""
    times, size = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        size = len(client.get(path).raise_for_status().content)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), max(times), size


def main() -> None:
    """Fill a log, and measure."""
    out = Console(highlight=False)
    with tempfile.TemporaryDirectory() as name, own_redis(Path(name)) as url:
        app = Celery("bench_console", broker="memory://")
        app.conf.amends_backend = f"{url}/1"
        app.set_default()
        began = time.perf_counter()
        fill(app)
        out.print(f"{SAGAS:,} sagas started in {time.perf_counter() - began:.0f} s")
        with visitor(app, Path(name)) as client:
            for path in (
                "/",
                "/sagas",
                "/sagas?status=stuck",
                "/sagas?order=oldest",
                "/sagas?q=customer%3Dada",
                "/sagas/stuck-7",
                "/circuits",
                "/workers",
            ):
                median, slowest, size = measure(client, path)
                out.print(f"{path:<28} {median:8.0f} ms {slowest:8.0f} ms {size:10,} bytes")


if __name__ == "__main__":
    main()
