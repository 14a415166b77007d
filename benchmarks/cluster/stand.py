"""A worker, a broker, and a log on one Redis or on a cluster: sagas run on it."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from amends.backend.client import client_of
from amends.log.keys import Keys
from amends.log.saga_log import SagaLog
from benchmarks.contenders import ROOT, Contender
from benchmarks.course import BROKER, PATIENCE
from benchmarks.driver import Driver, driver
from benchmarks.servers import Server, Worker
from benchmarks.stamps import PLACE, StampFile
from demo.programs import running

SHARDS: Final = 64
_WARM: Final = 60
_AT_ONCE: Final = 50
"""Sagas in flight at most: none waits for so long that a sweep looks at it."""


@dataclass(frozen=True, kw_only=True)
class LogNodes:
    """The nodes of a log. `url` is what `amends_backend` is, `clients` has one of each node."""

    title: str
    url: str
    clients: list[Any]

    def node_of(self, key: str) -> int:
        """Return the number of the node that has a key."""
        if len(self.clients) == 1:
            return 0
        found: Any = client_of(self.url)
        port = found.get_node_from_key(key).port
        ports = [each.connection_pool.connection_kwargs["port"] for each in self.clients]
        return ports.index(port)

    def clear(self) -> None:
        """Empty all nodes."""
        for client in self.clients:
            client.flushall()

    def shards_by_node(self) -> list[int]:
        """Count the shards of each node."""
        keys = Keys(SHARDS, is_spread=len(self.clients) > 1)
        nodes = [self.node_of(keys.due_key(shard)) for shard in range(SHARDS)]
        return [nodes.count(node) for node in range(len(self.clients))]


@dataclass(kw_only=True)
class Stand:
    """One contender's worker, warm, on a log."""

    nodes: LogNodes
    broker: Server
    driver: Driver
    stamps: StampFile
    started: int = 0

    def run(self, sagas: int) -> None:
        """Run so many sagas to their ends. Raises ``TimeoutError``."""
        for first in range(0, sagas, _AT_ONCE):
            count = min(_AT_ONCE, sagas - first)
            seen = self.stamps.count()
            self.driver.start(range(self.started, self.started + count))
            self.started += count
            self.stamps.wait_for(seen + count, timeout=PATIENCE)
            self._settle()

    def _settle(self) -> None:
        """Wait until no saga is alive."""
        log, until = SagaLog(client_of(self.nodes.url)), time.monotonic() + PATIENCE
        while log.maintenance.count_live():
            if time.monotonic() > until:
                raise TimeoutError("sagas are left")
            time.sleep(0.02)


@contextlib.contextmanager
def stand(contender: Contender, nodes: LogNodes, broker: Server) -> Iterator[Stand]:
    """Run a worker on an emptied log, and let it do some sagas."""
    nodes.clear()
    broker.clear()
    directory = broker.directory
    stamps = StampFile(directory / f"stamps-{contender.name}-{len(nodes.clients)}")
    environment = {
        "BENCH_BROKER": f"{broker.url}/{BROKER}",
        "BENCH_LOG": nodes.url,
        "PYTHONPATH": str(ROOT),
        PLACE: str(stamps.path),
        **contender.environment,
    }
    command = contender.worker_command(ROOT, pool="prefork", concurrency=2)
    worker = Worker(contender.name, command, directory=directory, environment=environment)
    with running(worker), driver(contender, Path(ROOT), environment) as starter:
        found = Stand(nodes=nodes, broker=broker, driver=starter, stamps=stamps)
        found.run(_WARM)
        yield found


def client_of_one(url: str) -> Any:
    """Return a client of one node, for INFO and MONITOR."""
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=PATIENCE)
