"""The order system with every part separately killable: the log, the broker, the services, and three workers.

::

    workers: orders-1, orders-2, compensations -- proxy, one each -- saga log (a Redis)
        `-- broker (another Redis, or RabbitMQ)     `-- services

The log and the broker are servers of their own, so that each can be away alone.
"""

import contextlib
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from demo import rabbitmq, redis
from demo.ports import LOOPBACK, free_port
from demo.supervision import Owner, owned
from tests.chaos.program import Program
from tests.chaos.proxy import Proxy, proxies_to

# Name, queues (all, where there are none), concurrency.
WORKERS: Mapping[str, tuple[str | None, int]] = {
    "orders-1": (None, 4),
    "orders-2": (None, 4),
    "compensations": ("compensations", 2),
}
READY = re.compile(r"^.*@\S+ ready\.$", re.MULTILINE)


class RedisServer(Program):
    """A Redis that keeps its port and its data when it is killed and started again."""

    def __init__(self, name: str, *, owner: Owner) -> None:
        self.port = free_port()
        self.url = f"redis://{LOOPBACK}:{self.port}/0"
        self.data = owner.directory / name
        self.forget()
        super().__init__(name, redis.server_command(self.port, self.data), owner=owner)

    def answers(self) -> bool:
        """Say whether it answers a PING."""
        return self.lives and redis.answers(self.url)

    def forget(self) -> None:
        """Lose all data. Not while it runs."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)


class RabbitServer(Program):
    """A RabbitMQ that keeps its port and its data when it is killed and started again."""

    def __init__(self, name: str, *, owner: Owner) -> None:
        self.port = free_port()
        self.url = rabbitmq.url_of(self.port)
        self.data = owner.directory / name
        shutil.rmtree(self.data, ignore_errors=True)
        super().__init__(name, rabbitmq.command(self.port, self.data), owner=owner)

    def answers(self) -> bool:
        """Say whether it takes connections."""
        return self.lives and rabbitmq.answers(self.url)


class Services(Program):
    """The sandbox services; their database outlives them."""

    def __init__(self, *, owner: Owner) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        for stale in owner.directory.glob("services.sqlite3*"):
            stale.unlink()
        database = owner.directory.resolve() / "services.sqlite3"
        environment = {
            "SERVICES_PORT": str(self.port),
            "SERVICES_DATABASE_URL": f"sqlite:///{database}",
        }
        command = [sys.executable, "-m", "services"]
        super().__init__("services", command, owner=owner, environment=environment)

    def answers(self) -> bool:
        """Say whether they answer."""
        try:
            with urlopen(f"{self.url}/health", timeout=2.0) as answer:  # noqa: S310 - an address of ours
                return bool(answer.status == 200)
        except OSError:
            return False


class Worker(Program):
    """A Celery worker; `line` is its way to the saga log, which can be cut."""

    def __init__(
        self,
        name: str,
        *,
        owner: Owner,
        environment: Mapping[str, str],
        line: Proxy,
        pool: str,
        application: str,
    ) -> None:
        self.line = line
        self._ready_pid: int | None = None
        queues, concurrency = WORKERS[name]
        command = [sys.executable, "-m", "celery", "-A", application, "worker"]
        command += ["--loglevel", "INFO", "--hostname", f"{name}@%h"]
        command += ["--pool", pool, "--concurrency", str(concurrency)]
        if queues is not None:
            command += ["--queues", queues]
        log = f"redis://{LOOPBACK}:{line.port}/0"
        super().__init__(
            name, command, owner=owner, environment={**environment, "AMENDS_BACKEND": log}
        )

    def answers(self) -> bool:
        """Say whether it consumes."""
        if not self.runs:
            self._ready_pid = None
        elif self._ready_pid != self.pid and READY.search(self.logged()) is not None:
            self._ready_pid = self.pid
        return self._ready_pid is not None and self._ready_pid == self.pid


@dataclass(frozen=True, kw_only=True)
class System:
    """The running parts, and `urls`: the environment that leads a client to them, past the proxies."""

    log: RedisServer
    broker: RedisServer | RabbitServer
    services: Services
    workers: Mapping[str, Worker]
    urls: Mapping[str, str]

    @property
    def programs(self) -> list[Program]:
        """Every part, in the order in which they are started."""
        return [self.log, self.broker, self.services, *self.workers.values()]

    def start(self) -> None:
        """Start what does not run, thaw what is frozen, heal every line, and wait until all of it answers."""
        for worker in self.workers.values():
            worker.line.heal()
        for program in self.programs:
            program.thaw()
            program.start()
        for program in self.programs:
            program.await_ready()

    def end(self) -> None:
        """End everything: workers at once, and then what they need."""
        for worker in self.workers.values():
            worker.kill()
        for program in (self.services, self.broker, self.log):
            program.kill()


@contextlib.contextmanager
def running(
    directory: Path,
    *,
    pool: str = "prefork",
    broker: str = "redis",
    application: str = "tasks",
    environment: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """Run the system in `directory` while the context is open; it starts empty, with everything answering.

    The `broker` is ``redis`` or ``rabbitmq``.
    `environment` is given to the workers on top of this process's own. Nothing outlives this process.
    Raises :class:`demo.errors.LocalError`.
    """
    with owned(directory) as owner:
        log = RedisServer("saga-log", owner=owner)
        server = RabbitServer if broker == "rabbitmq" else RedisServer
        messages = server("broker", owner=owner)
        services = Services(owner=owner)
        with proxies_to(log.port, len(WORKERS)) as lines:
            urls = {"CELERY_BROKER_URL": messages.url, "SERVICES_URL": services.url}
            given = {**(environment or {}), **urls}
            workers = {
                name: Worker(
                    name,
                    owner=owner,
                    environment=given,
                    line=line,
                    pool=pool,
                    application=application,
                )
                for name, line in zip(WORKERS, lines, strict=True)
            }
            system = System(
                log=log,
                broker=messages,
                services=services,
                workers=workers,
                urls={**urls, "AMENDS_BACKEND": log.url},
            )
            try:
                system.start()
                yield system
            finally:
                system.end()
