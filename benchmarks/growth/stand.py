"""A worker with a log of its own, and what some sagas cost there."""

import contextlib
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis
from celery import Celery

from amends import Saga
from amends.log.saga_log import SagaLog, log_of
from benchmarks.growth.sagas import Load, Result, application, load_of
from benchmarks.processes import Bed, Worker, worker
from benchmarks.stamps import PLACE, StampFile

PATIENCE: Final = 120.0  # seconds
QUEUE: Final = "celery"
_WEIGHED: Final = 5  # of the sagas of a run, which are all alike
_numbers: Final = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What each of some sagas cost, started one after the other and then run. Seconds, and bytes.

    `wall` is the time from when the worker may begin to the last end, by the number of sagas; the processor times are from the
    start to the last acknowledgement. `kept` is what the keys of an ended saga take in the log's memory, but for its
    places in the sets of its shard; `sent` is what the log's Redis sent and received.
    """

    sagas: int
    wall: float
    cpu_log: float
    cpu_broker: float
    cpu_worker: float
    kept: float
    sent: float


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was used until now: processor times in seconds, and what the log's Redis sent and received."""

    cpu_log: float
    cpu_broker: float
    cpu_worker: float
    sent: float


@dataclass(frozen=True, kw_only=True)
class Stand:
    """A worker, its log and its broker: a database of this number in the Redis of each."""

    log_bed: Bed
    broker_bed: Bed
    database: int
    worker: Worker
    app: Celery
    stamps: StampFile

    @property
    def log(self) -> SagaLog:
        """The saga log."""
        return log_of(self.app)

    @property
    def log_client(self) -> redis.Redis:
        """A client of the log's Redis, with patience."""
        return patient_client(self.log_bed, self.database)

    def run(self, saga: Saga[Load, Result], count: int, size: int) -> Cost:
        """Start so many sagas with inputs of so many bytes, let them run to their ends, and remove them."""
        loads = [load_of(next(_numbers), size) for _ in range(count)]
        ids = [load.order_id for load in loads]
        others, seen = self.log.maintenance.count_live(), self.stamps.count()
        self.worker.hold()
        before = self.look()
        self.app.set_current()
        saga.start_many(loads, saga_ids=ids)
        began = time.monotonic()
        self.worker.release()
        self.stamps.wait_for(seen + count, timeout=PATIENCE)
        wall = self.stamps.read(seen)[-1].at - began
        self._settle(others)
        cost = _cost(before, self.look(), count=count, wall=wall, kept=self._kept(ids))
        self.log.maintenance.remove_sagas(ids, kept_for=0)
        return cost

    def look(self) -> Look:
        """Read what was used until now."""
        info: Any = self.log_bed.client.info()
        return Look(
            cpu_log=info["used_cpu_user"] + info["used_cpu_sys"],
            cpu_broker=self.broker_bed.cpu_seconds(),
            cpu_worker=self.worker.cpu_seconds(),
            sent=info["total_net_input_bytes"] + info["total_net_output_bytes"],
        )

    def _kept(self, ids: Sequence[str]) -> float:
        client, keys_of = self.log_client, self.log._store.keys_of  # noqa: SLF001 - keys are the store's to name
        asked = ids[:_WEIGHED]
        keys = [key for each in asked for key in keys_of(each) if key.endswith(each)]
        return sum(client.memory_usage(key, samples=0) or 0 for key in keys) / len(asked)

    def _settle(self, others: int) -> None:
        """Wait until the last is written and the last message acknowledged."""
        broker: Any = self.broker_bed.client
        url = f"{self.broker_bed.url}/{self.database}"
        until = time.monotonic() + PATIENCE
        with redis.Redis.from_url(url) as client:
            broker = client
            while (
                broker.llen(QUEUE)
                or broker.hlen("unacked")
                or self.log.maintenance.count_live() != others
            ):
                if time.monotonic() > until:
                    raise TimeoutError(f"sagas or messages are left: {self.worker.tail()}")
                time.sleep(0.02)


def _cost(before: Look, after: Look, *, count: int, wall: float, kept: float) -> Cost:
    return Cost(
        sagas=count,
        wall=wall / count,
        cpu_log=(after.cpu_log - before.cpu_log) / count,
        cpu_broker=(after.cpu_broker - before.cpu_broker) / count,
        cpu_worker=(after.cpu_worker - before.cpu_worker) / count,
        kept=kept,
        sent=(after.sent - before.sent) / count,
    )


@contextlib.contextmanager
def stand(log_bed: Bed, broker_bed: Bed, *, database: int, processes: int) -> Iterator[Stand]:
    """Run a worker with so many processes, warm."""
    urls = {
        "CELERY_BROKER_URL": f"{broker_bed.url}/{database}",
        "AMENDS_BACKEND": f"{log_bed.url}/{database}",
    }
    path = (log_bed.directory / f"stamps-{database}").resolve()
    stamps = StampFile(path)
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.growth.sagas", "worker"]
    options = ["--loglevel", "WARNING", "--concurrency", str(processes), "-n", f"w{database}@%h"]
    environment = {**urls, PLACE: str(path)}
    with worker(log_bed, f"worker-{database}", [*command, *options], environment) as running:
        yield Stand(
            log_bed=log_bed,
            broker_bed=broker_bed,
            database=database,
            worker=running,
            app=application(*urls.values()),
            stamps=stamps,
        )


def patient_client(bed: Bed, database: int) -> redis.Redis:
    """Return a client for what takes long."""
    url = f"{bed.url}/{database}"
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=600.0)
