"""The order system with every part separately killable: the log, the broker, the services, and three workers.

::

    workers: orders-1, orders-2, compensations -- proxy, one each -- saga log (a Redis, or several without proxies)
        `-- broker (another Redis, or RabbitMQ)     `-- services

The log and the broker are servers of their own, so that each can be away alone.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo import servers
from demo.ports import free_port
from demo.programs import Program, owned, start
from demo.servers import RabbitServer, RedisServer, WebProgram, Worker
from tests.chaos import SETTINGS
from tests.chaos.brokers import Broker, broker_in
from tests.chaos.logs import Log, log_in
from tests.chaos.proxy import Proxy
from tests.support.redis_clusters import OwnCluster
from tests.support.redis_sentinels import Watched

# Options of each; the first two consume every queue.
WORKERS: Mapping[str, Mapping[str, Any]] = {
    "orders-1": {"concurrency": 4},
    "orders-2": {"concurrency": 4},
    "compensations": {"concurrency": 2, "queues": "compensations"},
}


@dataclass(frozen=True, kw_only=True)
class System:
    """The running parts, each worker's line to the log, and `urls`: the environment of a client, past the proxies."""

    log: RedisServer | OwnCluster | Watched
    messages: Broker
    services: WebProgram
    workers: Mapping[str, Worker]
    lines: Mapping[str, Proxy]
    urls: Mapping[str, str]
    wait_replicas: int = 0

    @property
    def broker(self) -> RedisServer | RabbitServer | Watched:
        """What the broker runs on."""
        return self.messages.server

    @property
    def programs(self) -> list[Program]:
        """Every part, in the order in which they are started."""
        logs = [self.log] if isinstance(self.log, RedisServer) else self.log.nodes
        return [*logs, *self.messages.nodes, self.services, *self.workers.values()]

    def form(self) -> None:
        """Start what consists of several servers, and make one of them."""
        for place in (self.log, self.broker):
            if isinstance(place, OwnCluster | Watched):
                place.form()

    def heal(self) -> None:
        """Start what does not run, thaw what is frozen, heal every line, and wait until all of it answers."""
        for line in self.lines.values():
            line.heal()
        start(*self.programs)


@contextlib.contextmanager
def running_system(
    directory: Path,
    *,
    pool: str = "prefork",
    broker: str = "redis",
    log: str = "redis",
    wait_replicas: int | None = None,
    application: str = "tests.chaos.application",
    environment: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """Run the system in `directory` while the context is open; it starts empty, with everything answering.

    pool: of the workers.
    broker: of :data:`tests.chaos.brokers.BROKERS`.
    log: of :data:`tests.chaos.logs.LOGS`; those that are several servers have replicas.
    wait_replicas: how many replicas a transition waits for; None for all of them.
    application: of the workers.
    environment: of the workers, on top of this process's own.

    Raises :class:`demo.programs.DemoError`.
    """
    with owned(directory) as here, log_in(here, log, list(WORKERS)) as place:
        messages = broker_in(here, broker, place, pool)
        services = servers.services(free_port(), directory=here, environment={})
        replicas = int(not place.lines) if wait_replicas is None else wait_replicas
        urls = {
            "CELERY_BROKER_URL": messages.url,
            "SERVICES_URL": services.url,
            "AMENDS_BACKEND": place.url,
            "AMENDS_WAIT_REPLICAS": str(replicas),
        }
        known = {**(environment or {}), **urls, SETTINGS: json.dumps(messages.settings)}
        workers = {}
        for name, options in WORKERS.items():
            kept = {"AMENDS_ACKNOWLEDGED_FILE": str(here / f"{name}.acknowledged")}
            given = {**known, **kept, **_by_own_line(name, place, messages)}
            how = {"application": application, "pool": pool, **options}
            workers[name] = Worker(name, directory=here, environment=given, **how)
        system = System(
            log=place.server,
            messages=messages,
            services=services,
            workers=workers,
            lines=place.lines,
            urls=urls,
            wait_replicas=replicas,
        )
        try:
            system.form()
            system.heal()
            yield system
        finally:
            for program in reversed(system.programs):
                program.kill()


def _by_own_line(worker: str, log: Log, messages: Broker) -> dict[str, str]:
    """Return what of the environment leads over a worker's line."""
    url = log.url_of(worker)
    return {"AMENDS_BACKEND": url, **({"CELERY_BROKER_URL": url} if messages.is_log else {})}
