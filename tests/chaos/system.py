"""The order system with every part separately killable: the log, the broker, the services, and three workers.

::

    workers: orders-1, orders-2, compensations -- proxy, one each -- saga log (a Redis)
        `-- broker (another Redis, or RabbitMQ)     `-- services

The log and the broker are servers of their own, so that each can be away alone.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo import servers
from demo.ports import LOOPBACK, free_port
from demo.programs import Program, owned, start
from demo.servers import RabbitServer, RedisServer, WebProgram, Worker
from tests.chaos.proxy import Proxy, proxies_to

# Options of each; the first two consume every queue.
WORKERS: Mapping[str, Mapping[str, Any]] = {
    "orders-1": {"concurrency": 4},
    "orders-2": {"concurrency": 4},
    "compensations": {"concurrency": 2, "queues": "compensations"},
}


@dataclass(frozen=True, kw_only=True)
class System:
    """The running parts, each worker's line to the log, and `urls`: the environment of a client, past the proxies."""

    log: RedisServer
    broker: RedisServer | RabbitServer
    services: WebProgram
    workers: Mapping[str, Worker]
    lines: Mapping[str, Proxy]
    urls: Mapping[str, str]

    @property
    def programs(self) -> list[Program]:
        """Every part, in the order in which they are started."""
        return [self.log, self.broker, self.services, *self.workers.values()]

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
    application: str = "tasks",
    environment: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """Run the system in `directory` while the context is open; it starts empty, with everything answering.

    pool: of the workers.
    broker: ``redis`` or ``rabbitmq``.
    application: of the workers.
    environment: of the workers, on top of this process's own.

    Raises :class:`demo.programs.DemoError`.
    """
    with owned(directory) as here:
        log = RedisServer("saga-log", directory=here)
        server = RabbitServer if broker == "rabbitmq" else RedisServer
        messages = server("broker", directory=here)
        services = servers.services(free_port(), directory=here, environment={})
        urls = {"CELERY_BROKER_URL": messages.url, "SERVICES_URL": services.url}
        with proxies_to(log.port, len(WORKERS)) as proxies:
            lines = dict(zip(WORKERS, proxies, strict=True))
            workers = {}
            for name, options in WORKERS.items():
                backend = f"redis://{LOOPBACK}:{lines[name].port}/0"
                given = {**(environment or {}), **urls, "AMENDS_BACKEND": backend}
                how = {"application": application, "pool": pool, **options}
                workers[name] = Worker(name, directory=here, environment=given, **how)
            system = System(
                log=log,
                broker=messages,
                services=services,
                workers=workers,
                lines=lines,
                urls={**urls, "AMENDS_BACKEND": log.url},
            )
            try:
                system.heal()
                yield system
            finally:
                for program in reversed(system.programs):
                    program.kill()
