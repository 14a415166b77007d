"""One run: sagas of both apps, the standstills one after another, and what is left."""

import contextlib
import time
from collections import Counter
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict
from redis import Redis
from rich.console import Console

from amends import Handle, SagaError
from demo.programs import running
from demo.servers import RedisServer, Worker
from tests.neighbourhood.apps import QUEUES, TAKES, Granted, Wish, breakers, make_app, sagas_of
from tests.neighbourhood.verdict import Verdict, judge
from tests.neighbourhood.watch import Watch

REST_WITHIN: Final = 300.0  # seconds beyond the work itself
BREATH: Final = 5.0  # seconds between two standstills
Handles = dict[str, Handle[Granted]]


class Options(BaseModel):
    """What a run is made of: sagas of a queue, the pool, and seconds of each standstill."""

    model_config = ConfigDict(frozen=True)

    sagas: int = 1_000
    pool: str = "prefork"
    stopped: float = 300.0
    full: float = 10.0
    frozen: float = 60.0


class Street:
    """Both apps with a worker each, their brokers, and the log that they share."""

    def __init__(self, directory: Path, pool: str) -> None:
        self.calls = directory / "calls"
        self.log = RedisServer("log", directory=directory)
        self.brokers = {name: RedisServer(f"broker-{name}", directory=directory) for name in QUEUES}
        self.urls = {name: f"{broker.url}/0" for name, broker in self.brokers.items()}
        log = f"{self.log.url}/0"
        self.workers = {
            name: Worker(
                name,
                directory=directory,
                environment={
                    "NEIGHBOUR": name,
                    "BROKER": url,
                    "LOG": log,
                    "CALLS": f"{self.calls}",
                },
                application="tests.neighbourhood.apps",
                pool=pool,
                concurrency=4,
            )
            for name, url in self.urls.items()
        }
        self.apps = {name: make_app(name, broker=url, log=log) for name, url in self.urls.items()}

    def start_all(self, count: int) -> Handles:
        """Start so many sagas of each queue."""
        handles: Handles = {}
        for name, app in self.apps.items():
            app.set_current()
            for queue, saga in sagas_of(name).items():
                ids = [f"{queue}-{number}" for number in range(count)]
                wishes = [Wish(saga_id=saga_id) for saga_id in ids]
                handles |= {each.id: each for each in saga.start_many(wishes, saga_ids=ids)}
        return handles

    def stop_a_worker(self, seconds: float) -> None:
        """Stop the shop's worker for a while, as a deployment does."""
        self.workers["shop"].stop()
        time.sleep(seconds)
        self.workers["shop"].start(wait=True)

    def fill_the_log(self, seconds: float) -> None:
        """Let the log take no writes for a while, for want of memory."""
        with Redis.from_url(self.log.url) as client:
            client.config_set("maxmemory", "1")
            time.sleep(seconds)
            client.config_set("maxmemory", "0")

    def freeze_the_log(self, seconds: float) -> None:
        """Let the log answer nothing for a while."""
        self.log.freeze()
        time.sleep(seconds)
        self.log.thaw()


def run(options: Options, *, directory: Path, console: Console) -> Verdict:
    """Run the neighbourhood, and judge what is left."""
    street = Street(directory, options.pool)
    servers = (street.log, *street.brokers.values())
    with running(*servers), running(*street.workers.values()), Watch(street.apps) as watch:
        handles = street.start_all(options.sagas)
        console.print(f"{len(handles)} sagas on {sum(map(len, QUEUES.values()))} queues of 2 apps")
        for what, stand_still, seconds in (
            ("the shop's worker is stopped", street.stop_a_worker, options.stopped),
            ("the log is full", street.fill_the_log, options.full),
            ("the log is frozen", street.freeze_the_log, options.frozen),
        ):
            time.sleep(BREATH)
            console.print(f"{watch.alive()} sagas alive; {what} for {seconds:g} s")
            stand_still(seconds)
        _await_rest(handles, watch)
        return judge(
            [handle.snapshot() for handle in handles.values()],
            calls=Counter(street.calls.read_text(encoding="ascii").splitlines()),
            moves={name: breaker.history() for name, breaker in breakers.items()},
            watch=watch,
        )


def _await_rest(handles: Handles, watch: Watch) -> None:
    """Wait until no saga is alive, or too long."""
    until = time.monotonic() + REST_WITHIN + len(handles) * 2 * TAKES
    while time.monotonic() < until:
        with contextlib.suppress(SagaError):
            if watch.alive() == 0:
                return
        time.sleep(1.0)
