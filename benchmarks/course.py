"""A contender with its worker running and warm, and the process that starts its sagas."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis

from amends.log.saga_log import SagaLog
from benchmarks.contenders import ROOT, Contender
from benchmarks.driver import Driver, driver
from benchmarks.servers import Server, Worker
from benchmarks.stamps import PLACE, StampFile
from demo.programs import running

BROKER, RESULTS, LOG = range(3)
"""The databases of a Redis."""
PATIENCE: Final = 60.0
"""Seconds without any end after which a run is given up."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Processor seconds of the worker's processes and of Redis; `scripts` is the part of the log's in scripts."""

    worker: float
    broker: float
    log: float
    scripts: float

    @property
    def redis(self) -> float:
        """Both Redis together."""
        return self.broker + self.log

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(**{name: each - vars(other)[name] for name, each in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Drain:
    """Seconds from the worker's release to the last step, and what was used for it and for the starts before.

    starting: seconds that the starts took.
    """

    seconds: float
    starting: float
    run: Usage
    start: Usage


@dataclass(frozen=True, kw_only=True)
class Course:
    """One contender. `place` is the Redis of its log and results, `broker` that of its messages or None for the same."""

    contender: Contender
    place: Server
    broker: Server | None
    worker: Worker
    driver: Driver
    stamps: StampFile

    def drain(self, numbers: range, *, many: bool = False, others: int = 0) -> Drain:
        """Start these sagas while the worker is held, and let it run them.

        many: start them in batches.
        others: sagas that stay alive in the log.
        """
        seen = self.stamps.count()
        self.hold()
        before, starts = self.usage(), time.monotonic()
        (self.driver.start_many if many else self.driver.start)(numbers)
        starting = time.monotonic() - starts
        started, began = self.usage(), time.monotonic()
        self.worker.thaw()
        self.stamps.wait_for(seen + len(numbers), timeout=PATIENCE)
        self.settle(others)
        used, ends = self.usage(), self.stamps.read(seen)
        if sorted(each.number for each in ends) != list(numbers):
            raise RuntimeError("not each saga came to its last step exactly once")
        seconds = max(each.at for each in ends) - began
        return Drain(seconds=seconds, starting=starting, run=used - started, start=started - before)

    def hold(self) -> None:
        """Hold the worker at a moment at which it has no file locked that the driver writes too."""
        self.worker.freeze()
        until = time.monotonic() + PATIENCE
        while any(map(_is_locked, self.place.directory.glob("*.sqlite"))):
            if time.monotonic() > until:
                raise TimeoutError("the worker never lets go of its database")
            self.worker.thaw()
            time.sleep(0.05)
            self.worker.freeze()

    def settle(self, others: int = 0) -> None:
        """Wait until the last message is acknowledged, and no saga is alive in the log but the `others`."""
        until = time.monotonic() + PATIENCE
        with (
            redis.Redis.from_url(f"{(self.broker or self.place).url}/{BROKER}") as broker,
            self.log() as log,
        ):
            while (
                broker.llen("celery")
                or broker.hlen("unacked")
                or log.maintenance.count_live() != others
            ):
                if time.monotonic() > until:
                    raise TimeoutError(
                        f"sagas or messages are left: {self.worker.logged()[-2000:]}"
                    )
                time.sleep(0.02)

    def check_completed(self, count: int) -> None:
        """Hold the contender's own records to so many completed sagas. Raises ``TimeoutError``."""
        until = time.monotonic() + PATIENCE
        while (found := self._completed()) not in (None, count):
            if time.monotonic() > until:
                raise TimeoutError(f"{self.contender.name}: {found} of {count} sagas completed")
            time.sleep(0.2)

    def usage(self) -> Usage:
        """Read what was used until now."""
        stats = self.place.info("commandstats")
        return Usage(
            worker=self.worker.cpu_seconds(),
            broker=self.broker.cpu_seconds() if self.broker else 0.0,
            log=self.place.cpu_seconds(),
            scripts=sum(stats.get(f"cmdstat_{each}", {"usec": 0})["usec"] for each in _EVAL) / 1e6,
        )

    @contextlib.contextmanager
    def log(self) -> Iterator[SagaLog]:
        """Open the saga log."""
        url = f"{self.place.url}/{LOG}"
        with redis.Redis.from_url(url, decode_responses=True, socket_timeout=600.0) as client:
            yield SagaLog(client)

    def _completed(self) -> int | None:
        if not self.contender.is_ours:
            return self.driver.count_completed()
        with self.log() as log:
            counts = log.read_counters().items()
        return sum(count for words, count in counts if words[::2] == ("sagas", "completed"))


_EVAL: Final = ("eval", "evalsha")


def _is_locked(database: Path) -> bool:
    with contextlib.closing(sqlite3.connect(database, timeout=0.0, isolation_level=None)) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
            file.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
    return False


@contextlib.contextmanager
def course(
    contender: Contender,
    place: Server,
    *,
    warm: int,
    broker: Server | None = None,
    pool: str = "prefork",
    concurrency: int = 2,
    profile: Path | None = None,
) -> Iterator[Course]:
    """Run a contender's worker on an emptied Redis, and let it do `warm` sagas.

    concurrency: processes of its pool.
    profile: folder for what cProfile says of them.
    """
    place.clear()
    if broker is not None:
        broker.clear()
    environment = environment_of(contender, place, broker=broker)
    if profile is not None:
        environment["BENCH_PROFILE"] = str(profile.resolve())
    stamps = StampFile(Path(environment[PLACE]))
    os.truncate(stamps.path, 0)
    directory = directory_of(contender, place)
    command = contender.worker_command(directory, pool=pool, concurrency=concurrency)
    worker = Worker(contender.name, command, directory=place.directory, environment=environment)
    with (
        running(worker),
        driver(contender, directory, environment) as starter,
    ):
        starter.start(range(warm))
        try:
            stamps.wait_for(warm, timeout=PATIENCE)
        except TimeoutError as error:
            raise TimeoutError(f"{contender.name}: {error}; {worker.logged()[-2000:]}") from error
        found = Course(
            contender=contender,
            place=place,
            broker=broker,
            worker=worker,
            driver=starter,
            stamps=stamps,
        )
        found.settle()
        found.check_completed(warm)
        yield found


def environment_of(
    contender: Contender, place: Server, *, broker: Server | None = None
) -> dict[str, str]:
    """Return the variables that lead a contender's processes to Redis, to the stamps and to its modules."""
    return {
        "BENCH_BROKER": f"{(broker or place).url}/{BROKER}",
        "BENCH_RESULTS": f"{place.url}/{RESULTS}",
        "BENCH_LOG": f"{place.url}/{LOG}",
        "PYTHONPATH": str(directory_of(contender, place)),
        PLACE: str(place.directory / "stamps"),
        **contender.environment,
    }


def directory_of(contender: Contender, place: Server) -> Path:
    """Return the folder in which a contender's processes run.

    For another checkout it has the modules of this one's benchmarks, and no engine beside them: that is the one
    installed in the checkout's ``.venv``.
    """
    if contender.checkout == ROOT:
        return ROOT
    directory = place.directory / "against"
    directory.mkdir(exist_ok=True)
    if not (modules := directory / "benchmarks").exists():
        modules.symlink_to(ROOT / "benchmarks")
    return directory
