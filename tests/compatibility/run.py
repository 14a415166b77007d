"""One run: workers of both releases on one broker and log, sagas of both, kills; then the old ones leave."""

import contextlib
import os
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from amends.log.saga_log import SagaLog, log_of
from demo.programs import Program, running
from demo.servers import RabbitServer, RedisServer, Worker
from tests.compatibility.apps import make_app
from tests.compatibility.receiver import receiver_of
from tests.compatibility.verdict import Verdict, judge
from tests.compatibility.write import ROOT, release_before

ENDED: Final = ("completed", "compensated")
TOGETHER: Final = 60.0  # seconds for which both finish what the run left
REST_WITHIN: Final = 300.0  # seconds for the new workers alone
STARTED: Final = re.compile(r"^(?:old|new)-\d+-\w+$")


class Options(BaseModel):
    """What a run is made of.

    minutes: side by side.
    pools: each release has a worker with each.
    every: seconds between two sagas of a starter, and between two kills.
    """

    model_config = ConfigDict(frozen=True)

    minutes: float = 1.0
    pools: str = "prefork threads"
    broker: Literal["redis", "rabbitmq"] = "redis"
    seed: int = 1
    every: float = 0.4
    kill_every: float = 6.0


class Fleet:
    """The servers, and workers and starters of both releases."""

    def __init__(
        self, directory: Path, options: Options, before: tuple[Path, dict[str, str]]
    ) -> None:
        self.redis = RedisServer("redis", directory=directory)
        servers: list[Any] = [self.redis]
        self.broker_url = f"{self.redis.url}/2"
        if options.broker == "rabbitmq":
            servers.append(RabbitServer("rabbitmq", directory=directory))
            self.broker_url = servers[-1].url
        self.servers: Sequence[Program] = servers
        self.log_url, self.receiver_url = f"{self.redis.url}/3", f"{self.redis.url}/4"
        urls = {"BROKER": self.broker_url, "LOG": self.log_url, "RECEIVER": self.receiver_url}
        folder, paths = before
        # Python puts its working directory first otherwise, and with it this release.
        common = {**urls, "PYTHONSAFEPATH": "1"}
        releases = {
            "old": {**common, "RELEASE": str(folder), "PYTHONPATH": paths["PYTHONPATH"]},
            "new": {**common, "RELEASE": str(ROOT), "PYTHONPATH": str(ROOT)},
        }
        self.workers = {
            f"{release}-{pool}": Worker(
                f"{release}-{pool}",
                directory=directory,
                environment=environment,
                application="tests.compatibility.apps",
                pool=pool,
                concurrency=4,
            )
            for release, environment in releases.items()
            for pool in options.pools.split()
        }
        self.starters = [
            Program(
                f"starter-{release}",
                [
                    *(sys.executable, "-m", "tests.compatibility.starter"),
                    *(release, str(options.seed), str(options.every)),
                ],
                directory=directory,
                environment=environment,
            )
            for release, environment in releases.items()
        ]

    def started(self) -> list[str]:
        """Return the ids of the sagas that were started."""
        lines = (line for each in self.starters for line in each.logged().splitlines())
        return [line for line in lines if STARTED.match(line)]


def run(options: Options, *, directory: Path, console: Console) -> Verdict:
    """Run both releases, and judge what is left."""
    with contextlib.ExitStack() as stack:
        fleet = Fleet(directory, options, stack.enter_context(release_before(directory)))
        stack.enter_context(running(*fleet.servers))
        log = _log_of(fleet)
        stack.enter_context(running(*fleet.workers.values()))
        with running(*fleet.starters):
            kills = _kill(fleet, options)
            for each in fleet.starters:
                each.check()
        ids = fleet.started()
        left = _await_ends(log, ids, within=TOGETHER)
        told = f"{len(ids)} sagas, {kills} kills; {len(left)} live when the old workers leave"
        console.print(told)
        for name, worker in fleet.workers.items():
            if name.startswith("old"):
                worker.stop()
        _await_ends(log, ids, within=REST_WITHIN)
        return judge(log, receiver_of(fleet.receiver_url), ids)


def _log_of(fleet: Fleet) -> SagaLog:
    os.environ["RECEIVER"] = fleet.receiver_url
    return log_of(make_app(fleet.broker_url, fleet.log_url))


def _kill(fleet: Fleet, options: Options) -> int:
    """Kill a worker now and then, and start it again; return how many were."""
    draw = random.Random(options.seed)  # noqa: S311 - a draw is no secret
    until, kills = time.monotonic() + options.minutes * 60, 0
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, options.kill_every))
        if time.monotonic() < until:
            worker = draw.choice(list(fleet.workers.values()))
            worker.kill()
            worker.start()
            kills += 1
    return kills


def _await_ends(log: SagaLog, ids: Sequence[str], *, within: float) -> list[str]:
    """Wait until all sagas have ended, so many seconds at most; return those that have not."""
    live, until = list(ids), time.monotonic() + within
    while live and time.monotonic() < until:
        live = list(_live(log, live))
        time.sleep(0.5)
    return live


def _live(log: SagaLog, ids: Sequence[str]) -> Iterator[str]:
    for saga_id in ids:
        status = log.read_status(saga_id).value
        # Past its point of no return a saga waits for an operator.
        if status not in ENDED and not (status == "stuck" and saga_id.endswith("-pivot")):
            yield saga_id
