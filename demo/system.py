"""The whole system: Redis, RabbitMQ if asked for, the services, two kinds of workers, Flower and metrics if asked for."""

import contextlib
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.log_user import as_log_user
from demo.ports import LOOPBACK, free_port
from demo.programs import DemoError, Program, running
from demo.servers import (
    RabbitServer,
    RedisServer,
    Worker,
    console,
    flower,
    metrics,
    redis_answers,
    services,
)


@dataclass(frozen=True, kw_only=True)
class System:
    """The running programs, and `urls`: the environment that leads to them."""

    programs: tuple[Program, ...]
    urls: Mapping[str, str]

    def check(self) -> None:
        """Raise :class:`DemoError` if a program ended unasked."""
        for program in self.programs:
            program.check()


@contextlib.contextmanager
def running_system(
    directory: Path,
    *,
    broker: str = "redis",
    pool: str = "prefork",
    concurrency: int = 4,
    services_port: int | None = None,
    flower_port: int | None = None,
    metrics_port: int | None = None,
    console_port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """Run the whole system while the context is open, with data, logs and `env` (for a shell) in `directory`.

    broker: ``redis`` (the log's, another database) or ``rabbitmq`` (a server beside it).
    pool: of the workers.
    concurrency: of the worker that consumes every queue.
    services_port: default: a free one.
    flower_port: without it there is no Flower. Its login is FLOWER_BASIC_AUTH, `user:password`: without one there, a new password.
    metrics_port: without it nobody serves metrics.
    console_port: without it there is no console.
    environment: of every program, on top of this process's own. AMENDS_BACKEND and CELERY_BROKER_URL in either name
        servers that are used in place of our own.

    Raises :class:`DemoError` with the end of the log of what did not come up.
    """
    known = {**os.environ, **(environment or {})}
    servers, urls = _servers(directory, broker, known)
    port = services_port or free_port()
    urls |= {"SERVICES_PORT": str(port), "SERVICES_URL": f"http://{LOOPBACK}:{port}"}
    if flower_port is not None:
        urls["FLOWER_URL"] = f"http://{LOOPBACK}:{flower_port}"
        urls["FLOWER_BASIC_AUTH"] = known.get("FLOWER_BASIC_AUTH") or _new_login()
    if metrics_port is not None:
        urls["METRICS_URL"] = f"http://{LOOPBACK}:{metrics_port}/metrics"
    if console_port is not None:
        urls["CONSOLE_URL"] = f"http://{LOOPBACK}:{console_port}"
    settings = {**known, **urls}
    where: Any = {"directory": directory, "environment": settings}
    programs: list[Program] = [
        services(port, **where),
        Worker("orders", pool=pool, concurrency=concurrency, **where),
        # A worker that does nothing else: a compensation never waits behind a forward backlog.
        Worker("compensations", pool=pool, concurrency=2, queues="compensations", **where),
    ]
    if flower_port is not None:
        programs.append(flower(flower_port, **where))
    if metrics_port is not None:
        programs.append(metrics(metrics_port, **where))
    if console_port is not None:
        programs.append(console(console_port, **where))
    with running(*servers), running(*programs), _env_file(directory, settings, [*urls]):
        yield System(programs=(*servers, *programs), urls=urls)


def _new_login() -> str:
    """Return a login for Flower: without one it refuses its buttons, or obeys every page of a browser on this machine."""
    return f"amends:{secrets.token_urlsafe(12)}"


def _servers(
    directory: Path, broker: str, known: Mapping[str, str]
) -> tuple[list[Program], dict[str, str]]:
    """Return our own servers, and where the saga log and the messages are."""
    servers: list[Program] = []
    log = messages = known.get("AMENDS_BACKEND")
    if not log:
        redis = RedisServer("redis", directory=directory)
        servers.append(redis)
        log, messages = as_log_user(f"{redis.url}/1"), f"{redis.url}/0"
    elif not redis_answers(log):
        # Without the URL: it may hold a password.
        raise DemoError(
            "the Redis that AMENDS_BACKEND names does not answer a PING: start it, or unset AMENDS_BACKEND"
        )
    if known.get("CELERY_BROKER_URL"):
        messages = known["CELERY_BROKER_URL"]
    elif broker == "rabbitmq":
        rabbitmq = RabbitServer("rabbitmq", directory=directory)
        servers.append(rabbitmq)
        messages = rabbitmq.url
    return servers, {"AMENDS_BACKEND": log, "CELERY_BROKER_URL": str(messages)}


@contextlib.contextmanager
def _env_file(directory: Path, settings: Mapping[str, str], names: list[str]) -> Iterator[None]:
    """Keep the file that gives another shell its URLs: ``. .run/env``."""
    path = directory / "env"
    kept = [name for name in sorted({*names, "AMENDS_TIME_SCALE"}) if name in settings]
    lines = [f"export {name}={shlex.quote(settings[name])}\n" for name in kept]
    path.touch(mode=0o600)  # it holds a password
    path.write_text("".join(lines), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
