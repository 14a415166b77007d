"""One run: orders by each library, killed processes, a log and a broker that go away, and what is left."""

import contextlib
import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from celery import Celery
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from sqlalchemy import Engine, create_engine, text

from amends import SagaError
from amends.log.saga_log import log_of
from demo.programs import Program, running
from demo.servers import RedisServer, Worker
from tests.outbox.shop import metadata
from tests.outbox.verdict import Verdict, judge
from tests.outbox.web import Fate
from tests.support.databases import own_postgres

KINDS: Final = ("session-chain", "core-inline", "asyncio-chain", "django-inline", "django-chain")
FAILED: Final = "Traceback"
REST_WITHIN: Final = 300.0
"""Seconds beyond the orders and the outages."""


class Options(BaseModel):
    """What a run is made of: all orders, the share whose process is killed, seconds between two, and of an outage."""

    model_config = ConfigDict(frozen=True)

    orders: int = 5_000
    seed: str = "1"
    kills: float = 0.3
    pace: float = 0.05
    outage: float = 60.0


def run(options: Options, *, directory: Path, console: Console) -> Verdict:
    """Take the orders, and judge what is left."""
    log, broker = (RedisServer(name, directory=directory) for name in ("log", "broker"))
    with own_postgres() as postgres, running(log, broker):
        database = f"postgresql+psycopg://{postgres.address}"
        environment = {
            "LOG": f"{log.url}/0",
            "BROKER": f"{broker.url}/0",
            "DATABASE": postgres.address,
            "OUTBOX": database,
        }
        engine = create_engine(database)
        metadata.create_all(engine)
        app = Celery("judge", broker=environment["BROKER"], set_as_current=False)
        app.conf.amends_backend = environment["LOG"]
        with _workers(directory, environment) as workers:
            victims = (log, broker, log, broker, *workers)
            outages = _take_orders(options, directory, environment, victims, console)
            _await_rest(app, engine)
        happened = f"{_kills(options)} processes killed, {outages} outages"
        verdict = judge(app, engine, happened=happened)
        engine.dispose()
        return verdict


def _kills(options: Options) -> int:
    """Count the orders whose process is killed at a point that they reach."""
    ids = (f"{kind}-{number}" for kind in KINDS for number in range(_share(options)))
    fates = (Fate(f"{options.seed}-{each}", options.kills) for each in ids)
    return sum(each.is_killed for each in fates)


def _share(options: Options) -> int:
    """Return how many orders each kind takes."""
    return -(-options.orders // len(KINDS))


@contextlib.contextmanager
def _workers(directory: Path, environment: dict[str, str]) -> Iterator[list[Worker]]:
    """Run two workers: one on the fast path, one by the libraries' own calls."""
    how = {"application": "tests.outbox.shop", "pool": "threads", "concurrency": 4}
    workers = [
        Worker(
            f"worker-{fast}",
            directory=directory,
            environment={**environment, "FAST_PATH": fast},
            **how,
        )
        for fast in ("1", "0")
    ]
    with running(*workers):
        yield workers


def _take_orders(
    options: Options,
    directory: Path,
    environment: dict[str, str],
    victims: Sequence[Program],
    console: Console,
) -> int:
    """Take orders by each kind at once, while servers and workers go away one at a time; return how often one did."""
    how = [str(_share(options)), options.seed, str(options.kills), str(options.pace)]
    webs = [
        Program(
            kind,
            [sys.executable, "-m", "tests.outbox.web", kind, *how],
            directory=directory,
            environment={**environment, "FAST_PATH": str(number % 2)},
        )
        for number, kind in enumerate(KINDS)
    ]
    chance, outages = random.Random(options.seed), 0  # noqa: S311
    with contextlib.ExitStack() as ending:
        for each in webs:
            each.start()
            ending.callback(each.stop)
        ends = threading.Event()
        while any(each.runs for each in webs):
            ends.wait(chance.uniform(0.1, 0.3) * options.outage)
            victim, act = chance.choice(victims), chance.choice(("freeze", "kill"))
            console.print(f"{victim.name}: {act} for {options.outage:g} s")
            getattr(victim, act)()
            outages += 1
            ends.wait(options.outage)
            victim.thaw()
            victim.start(wait=True)
        for each in webs:
            if FAILED in each.logged():
                console.print(each.logged()[-2000:])
    return outages


def _await_rest(app: Celery, engine: Engine) -> None:
    """Wait until the outbox is empty and no saga is alive, or too long."""
    until = time.monotonic() + REST_WITHIN
    while time.monotonic() < until:
        with contextlib.suppress(SagaError), engine.connect() as connection:
            waiting = connection.execute(text("SELECT count(*) FROM amends_outbox")).scalar_one()
            if waiting == 0 and log_of(app).maintenance.count_live() == 0:
                return
        time.sleep(0.5)
