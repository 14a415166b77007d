"""What a saga costs whatever the machine: commands to Redis, and the bytes that a finished one keeps."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import redis

from benchmarks.contenders import ROOT, Contender
from benchmarks.course import BROKER, LOG, PATIENCE, RESULTS, course
from benchmarks.driver import driver
from benchmarks.monitor import Command, Monitor, of_sagas
from benchmarks.plan import Plan
from benchmarks.servers import Server
from demo.system import running_system

MOST: Final = 200
"""Sagas that are counted at most."""
_ORDERS: Final = 100
"""Orders whose bytes are measured. Over a few, what an index of a shard takes whatever it holds would count for too much."""
_OF_WAITING: Final = frozenset({"LLEN", "HLEN", "ZCARD", "INFO"})  # of `Course`
# What does not grow with the sagas: definitions and marks of queues, kept once per shard, and heartbeats.
_NOT_OF_A_SAGA: Final = re.compile(
    r"amends:(shards|\{workers\}.*|\{profiles\}.*|\{\d+\}:(definitions|counters|watermarks))"
)


@dataclass(frozen=True, kw_only=True)
class Commands:
    """How many commands clients send for one saga, by what the database is for."""

    broker: float
    results: float
    log: float

    @property
    def all(self) -> float:
        """All of them."""
        return self.broker + self.results + self.log


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What one saga costs: to start it, to run it, and once it ended."""

    start: Commands
    run: Commands
    bytes_kept: float


def count(place: Server, contender: Contender, plan: Plan) -> Counts:
    """Run some sagas of a contender, and count."""
    # As in a log with many sagas: a small index is stored in a tenth of the space that its entries take later.
    place.client.config_set("zset-max-ziplist-entries", 0)
    try:
        return _count(place, contender, plan)
    finally:
        place.client.config_set("zset-max-ziplist-entries", 128)


def _count(place: Server, contender: Contender, plan: Plan) -> Counts:
    numbers = range(plan.warm, plan.warm + min(plan.sagas, MOST))
    with (
        course(contender, place, warm=plan.warm, pool=plan.pool) as warm,
        Monitor(place.client) as monitor,
    ):
        file_before = _file_size(place)
        seen = warm.stamps.count()
        warm.hold()
        monitor.take()
        warm.driver.start(numbers)
        starts = monitor.take()
        warm.worker.thaw()
        warm.stamps.wait_for(seen + len(numbers), timeout=PATIENCE)
        warm.settle()
        runs = monitor.take()
        warm.check_completed(numbers.stop)
        grown = (_file_size(place) - file_before) / len(numbers)
        kept = grown + memory_of_sagas(place.url) / numbers.stop
    return Counts(
        start=_commands(starts, len(numbers)), run=_commands(runs, len(numbers)), bytes_kept=kept
    )


def _commands(commands: list[Command], sagas: int) -> Commands:
    commands = [each for each in commands if each.name not in _OF_WAITING]
    broker, results = (
        sum(each.database == database for each in commands) for database in (BROKER, RESULTS)
    )
    log = len(of_sagas(commands, LOG))
    return Commands(broker=broker / sagas, results=results / sagas, log=log / sagas)


def memory_of_sagas(url: str, databases: tuple[int, ...] = (RESULTS, LOG)) -> int:
    """Add up the memory of all keys of sagas in these databases: their own ones, and the indexes."""
    used = 0
    for database in databases:
        with redis.Redis.from_url(f"{url}/{database}", decode_responses=True) as client:
            keys = [
                key for key in client.scan_iter(count=1000) if not _NOT_OF_A_SAGA.fullmatch(key)
            ]
            pipeline: Any = client.pipeline(transaction=False)
            for key in keys:
                pipeline.memory_usage(key, samples=0)
            used += sum(pipeline.execute())
    return used


def measure_order(directory: Path) -> float:
    """Run the whole system in this directory, and return the bytes that a completed order of it keeps."""
    orders = Contender("order", "an order", "benchmarks.contenders.reference_order")
    with running_system(directory, concurrency=2) as system:
        log = urlsplit(system.urls["AMENDS_BACKEND"])
        url, database = f"redis://{log.netloc}", int(log.path.strip("/"))
        with redis.Redis.from_url(url) as client:
            client.config_set("zset-max-ziplist-entries", 0)
        with driver(orders, ROOT, {**system.urls, "PYTHONPATH": str(ROOT)}) as starter:
            starter.start(range(_ORDERS))
        return memory_of_sagas(url, (database,)) / _ORDERS


def _file_size(place: Server) -> int:
    return sum(file.stat().st_size for file in place.directory.glob("*.sqlite*"))
