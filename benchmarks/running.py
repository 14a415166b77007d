"""One run of one contender: how fast it starts sagas, how soon one ends, how many a second, at what cost."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from amends.log.saga_log import SagaLog
from benchmarks.contenders import Contender
from benchmarks.contenders.application import BROKER, LOG
from benchmarks.driving import Driver, driver
from benchmarks.figures import percentile
from benchmarks.plan import Plan
from benchmarks.processes import Bed, Worker, worker
from benchmarks.profiling import PROFILE
from benchmarks.stamps import PLACE, StampFile

PATIENCE: Final = 60.0
"""Seconds without any end after which a run is given up."""
LONGEST_LATENCIES: Final = 20.0


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one run came to. Rates are per second, times in seconds; processor time is a saga's, or a start's."""

    throughput: float
    starts: float
    starts_many: float | None
    p50: float
    p99: float
    cpu: float
    cpu_redis: float
    cpu_start: float


@dataclass(frozen=True, kw_only=True)
class Course:
    """A contender with its worker running and warm, and who starts its sagas; so many were started."""

    place: Bed
    worker: Worker
    driver: Driver
    stamps: StampFile
    started: int

    def hold(self) -> None:
        """Hold the worker, at a moment at which it has no file locked that who starts sagas writes too."""
        self.worker.hold()
        until = time.monotonic() + PATIENCE
        while any(map(_is_locked, self.place.directory.glob("*.sqlite"))):
            if time.monotonic() > until:
                raise TimeoutError("the worker never lets go of its database")
            self.worker.release()
            time.sleep(0.05)
            self.worker.hold()

    def settle(self) -> None:
        """Wait until the last message is acknowledged, and the last saga of ours has ended in the log."""
        with (
            redis.Redis.from_url(f"{self.place.url}/{BROKER}") as broker,
            redis.Redis.from_url(f"{self.place.url}/{LOG}", decode_responses=True) as client,
        ):
            log, until = SagaLog(client), time.monotonic() + PATIENCE
            while broker.llen("celery") or broker.hlen("unacked") or log.maintenance.count_live():
                if time.monotonic() > until:
                    raise TimeoutError(f"messages are left: {self.worker.tail()}")
                time.sleep(0.02)


def _is_locked(database: Path) -> bool:
    with contextlib.closing(sqlite3.connect(database, timeout=0.0, isolation_level=None)) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
            file.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
    return False


def run(place: Bed, contender: Contender, plan: Plan) -> Figures:
    """Run a contender once, on a Redis that is emptied before."""
    starts = _starts(place, contender, plan)
    with course(place, contender, plan) as warm:
        numbers = range(warm.started, warm.started + plan.latencies)
        times = warm.driver.latencies(numbers, warm.stamps.path, longest=LONGEST_LATENCIES)
        warm.settle()
        seconds, cpu, cpu_redis = _drain(warm, range(numbers.stop, numbers.stop + plan.sagas))
        warm.driver.check_completed(plan.warm + len(times) + plan.sagas)
    return Figures(
        throughput=plan.sagas / seconds,
        **starts,
        p50=percentile(times, 0.5),
        p99=percentile(times, 0.99),
        cpu=cpu / plan.sagas,
        cpu_redis=cpu_redis / plan.sagas,
    )


@contextlib.contextmanager
def course(place: Bed, contender: Contender, plan: Plan) -> Iterator[Course]:
    """Empty Redis, run a contender's worker, and let it do some sagas, so that all of it is warm."""
    place.clear()
    path = place.directory / "stamps"
    path.unlink(missing_ok=True)
    stamps, environment = StampFile(path), environment_of(place, contender, plan)
    command = contender.worker_command(pool=plan.pool, concurrency=plan.concurrency)
    with (
        worker(place, contender.name, command, environment) as running,
        driver(contender, environment) as starter,
    ):
        starter.start(range(plan.warm))
        try:
            stamps.wait_for(plan.warm, timeout=PATIENCE)
        except TimeoutError as error:
            raise TimeoutError(f"{contender.name}: {error}; {running.tail()}") from error
        warm = Course(place=place, worker=running, driver=starter, stamps=stamps, started=plan.warm)
        warm.settle()
        starter.check_completed(plan.warm)
        yield warm


def environment_of(place: Bed, contender: Contender, plan: Plan) -> Mapping[str, str]:
    """Return what leads a contender's processes to Redis and to the stamps."""
    profile = {PROFILE: str(Path(plan.profile).resolve())} if plan.profile else {}
    places = {"BENCH_REDIS": place.url, PLACE: str((place.directory / "stamps").resolve())}
    return {**places, **profile, **contender.environment}


def _starts(place: Bed, contender: Contender, plan: Plan) -> dict[str, Any]:
    """Measure starts, one by one and in batches, with no worker running."""
    place.clear()
    one_by_one = range(plan.warm, plan.warm + plan.sagas)
    in_batches = range(one_by_one.stop, one_by_one.stop + plan.sagas)
    with driver(contender, environment_of(place, contender, plan)) as starter:
        starter.start(range(plan.warm))
        seconds, cpu = starter.start(one_by_one)
        many = starter.start_many(in_batches)
    return {
        "starts": plan.sagas / seconds,
        "cpu_start": cpu / plan.sagas,
        "starts_many": many and plan.sagas / many,
    }


def _drain(warm: Course, numbers: range) -> tuple[float, float, float]:
    """Fill the queue while the worker is held; return the seconds until the last end, and processor times."""
    seen = warm.stamps.count()
    warm.hold()
    warm.driver.start(numbers)
    cpu, cpu_redis = warm.worker.cpu_seconds(), warm.place.cpu_seconds()
    began = time.monotonic()
    warm.worker.release()
    warm.stamps.wait_for(seen + len(numbers), timeout=PATIENCE)
    warm.settle()
    cpu, cpu_redis = warm.worker.cpu_seconds() - cpu, warm.place.cpu_seconds() - cpu_redis
    ends = warm.stamps.read(seen)
    if sorted(each.number for each in ends) != list(numbers):
        raise RuntimeError("not each saga came to its last step exactly once")
    return max(each.at for each in ends) - began, cpu + cpu_redis, cpu_redis
