"""What the commands that read many sagas cost as whole processes: ``python -m benchmarks.commands``.

A Redis is filled through the log's own scripts: orders that ended, some thousands that live, some that are stuck.
Each command runs as a process, in turn with ``celery -A tasks saga --help``, which starts as much of Celery and asks
nothing: what a command takes beyond that is its own. The fewer ended sagas are a part of the more.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import redis
from rich.console import Console
from rich.table import Table

from amends.definition.states import ENDED as ENDS
from amends.definition.states import SagaStatus
from amends.log.control import SagaControl
from amends.log.saga_log import SagaLog
from amends.log.store import Store
from demo.servers import own_redis
from sagas.order import order_saga

SEED: Final = 1047
ENDED: Final = (10_000, 100_000)
LIVE: Final = 5_000
STUCK: Final = 200
ROUNDS: Final = 5
BATCH: Final = 2_000
EMPTY: Final = ("--help",)
COMMANDS: Final = (
    "list",
    "list --status running --step create_shipment",
    "list --outcome nowhere",
    "stuck",
    "stuck --limit 1000",
    "stats",
)
_ERROR: Final = '{"type":"ConnectionError","message":"the bank does not answer"}'
_PATHS: Final = [step.name for step in order_saga.itinerary.steps]


class Cost(NamedTuple):
    """Seconds of one process: by the clock, of its own processor time, and of Redis's."""

    wall: float
    own: float
    redis: float


class LaterStore(Store):
    """Keeps what the log asks of one saga until it can be sent for many in one round trip."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(client, shards=64)
        self._kept: dict[str, list[tuple[list[str], list[Any]]]] = {}

    def call(self, name: str, saga_id: str, *arguments: Any) -> Any:
        """Keep a call; the answer means nothing."""
        self._kept.setdefault(name, []).append((self.keys_of(saga_id), [saga_id, *arguments]))
        return ["stop", "it is sent later"]

    def send(self) -> None:
        """Send what is kept: the calls of one script, whose order does not matter."""
        for name, calls in self._kept.items():
            self.call_many(name, calls)
        self._kept = {}


class Filler:
    """Fills a log with sagas, many in one round trip, each moved by the scripts that move it in life."""

    def __init__(self, url: str) -> None:
        self._log = SagaLog(redis.Redis.from_url(url, decode_responses=True))
        self._store = self._log._store = LaterStore(self._log._store.client)  # noqa: SLF001
        self._log.control = SagaControl(self._store)
        self._random = random.Random(SEED)  # noqa: S311
        self._count = 0

    def end(self, count: int) -> None:
        """Start sagas that end: one in ten runs to its end, the others are cancelled before they begin."""
        for ids in self._start(count):
            whole = len(ids) // 10
            for path in _PATHS:
                self._do(ids[:whole], path)
            for each in ids[whole:]:
                self._log.control.cancel_saga(each, error=_ERROR, actor={})
            self._store.send()

    def count(self, *statuses: SagaStatus) -> int:
        """Count the sagas in these statuses."""
        counts = self._log.read_counters().items()
        return sum(count for words, count in counts if words[0] == "sagas" and words[2] in statuses)

    def leave_running(self, count: int) -> None:
        """Start sagas that stand at some step, running or waiting for its next attempt."""
        for ids in self._start(count):
            left = ids
            for path in _PATHS:
                is_last = path == _PATHS[-1]
                here = len(left) if is_last else self._random.randrange(len(left) // 2 + 1)
                self._claim(left[:here], path)
                how: Any = {"token": "t", "error": _ERROR, "wait": 600.0, "cost": "attempt"}
                for each in left[: here // 2]:
                    self._log.retry_step(each, path, unknown=True, **how)
                self._store.send()
                left = left[here:]
                self._do(left, path)

    def leave_stuck(self, count: int) -> None:
        """Start sagas whose shipment failed, and then the refund."""
        for ids in self._start(count):
            for path in _PATHS[:3]:
                self._do(ids, path)
            self._fail(ids, "create_shipment")
            self._fail(ids, "process_payment:undo")
            self._do(ids, "reserve_inventory:undo")

    def _start(self, count: int) -> Iterator[list[str]]:
        for first in range(0, count, BATCH):
            size = min(BATCH, count - first)
            ids = [f"order-{self._count + n}" for n in range(size)]
            self._count += size
            self._log.starts.start_sagas(order_saga.itinerary, [(each, "{}") for each in ids])
            yield ids

    def _claim(self, ids: Sequence[str], path: str) -> None:
        for each in ids:
            self._log.claim_step(each, path, token="t", owner="worker:1", retries=0)  # noqa: S106
        self._store.send()

    def _do(self, ids: Sequence[str], path: str) -> None:
        self._claim(ids, path)
        for each in ids:
            self._log.complete_step(each, path, token="t", output="{}", link="")  # noqa: S106
        self._store.send()

    def _fail(self, ids: Sequence[str], path: str) -> None:
        self._claim(ids, path)
        how: Any = {"token": "t", "error": _ERROR, "outcome": "shipment_failed", "link": ""}
        for each in ids:
            self._log.fail_step(each, path, unknown=False, refused=True, **how)
        self._store.send()


def main() -> int:
    """Fill, measure, and print a table."""
    with tempfile.TemporaryDirectory() as directory, own_redis(Path(directory)) as url:
        client = redis.Redis.from_url(url)
        client.config_set("appendonly", "no")  # no part of what is measured
        filler, began = Filler(f"{url}/1"), time.perf_counter()
        filler.leave_running(LIVE)
        filler.leave_stuck(STUCK)
        columns: list[dict[str, str]] = []
        for before, ended in zip((0, *ENDED), ENDED, strict=False):
            filler.end(ended - before)
            if filler.count(*ENDS) != ended or filler.count(SagaStatus.STUCK) != STUCK:
                raise RuntimeError("the scripts no longer do what this script asks of them")
            columns.append(_measure(url))
        print(f"filled and measured in {time.perf_counter() - began:.0f} s")  # noqa: T201
    heading = "ms beyond Celery's start: median (from to), own processor time, Redis's"
    table = Table(heading, *(f"{ended:,} ended" for ended in ENDED))
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    Console().print(table)
    return 0


def _measure(url: str) -> dict[str, str]:
    beyond: dict[str, list[Cost]] = {name: [] for name in COMMANDS}
    starts = []
    for _ in range(ROUNDS):
        start = _cost(url, EMPTY)
        starts.append(start)
        for name in COMMANDS:
            cost = _cost(url, name.split())
            beyond[name].append(Cost(cost.wall - start.wall, cost.own - start.own, cost.redis))
    return {"Celery's start itself": _told(starts)} | {
        name: _told(costs) for name, costs in beyond.items()
    }


def _cost(url: str, arguments: Sequence[str]) -> Cost:
    command = [sys.executable, "-m", "celery", "-A", "tasks", "saga", *arguments]
    environment = {**os.environ, "CELERY_BROKER_URL": f"{url}/0", "AMENDS_BACKEND": f"{url}/1"}
    before = _redis_time(url)
    with tempfile.TemporaryFile() as told:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=told, stderr=told)  # noqa: S603
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            told.seek(0)
            raise RuntimeError(f"{' '.join(arguments)}: {told.read().decode()}")
    return Cost(wall, used.ru_utime + used.ru_stime, _redis_time(url) - before)


def _redis_time(url: str) -> float:
    with redis.Redis.from_url(url) as client:
        used: Any = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


def _told(costs: Sequence[Cost]) -> str:
    wall, own, log = ([cost[k] * 1000 for cost in costs] for k in range(3))
    spread = f"{statistics.median(wall):.0f} ({min(wall):.0f} to {max(wall):.0f})"
    return f"{spread}, {statistics.median(own):.0f}, {statistics.median(log):.0f}"


if __name__ == "__main__":
    sys.exit(main())
