"""The whole system: Redis, RabbitMQ if asked for, the services, two kinds of workers, and Flower if asked for."""

import contextlib
import os
import shlex
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.request import urlopen

from celery import Celery

from demo import rabbitmq, redis
from demo.ports import LOOPBACK, free_port
from demo.supervision import Owner, owned

# Importing the application, with everything else starting at the same time, takes seconds on a small machine.
TIMEOUT = 60.0
COMPENSATION_CONCURRENCY = 2
# As the README recommends: 20,000 rows, of steps and sagas, are about 100 MB of Flower's memory.
FLOWER_OPTIONS = (
    "--tasks-columns=name,uuid,state,result,received,runtime",
    "--max-tasks=20000",
    "--purge-offline-workers=300",
)


Broker = Literal["redis", "rabbitmq"]


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """How a stack runs. A port of ``None`` is any free one; without a `flower_port` there is no Flower.

    The `broker` is the log's Redis, or a RabbitMQ of our own beside it.
    """

    services_port: int | None = None
    flower_port: int | None = None
    concurrency: int = 4
    pool: str = "prefork"
    broker: Broker = "redis"
    echo: bool = False
    application: str = "tasks"


@contextlib.contextmanager
def running(
    directory: Path,
    *,
    flower: bool = False,
    concurrency: int = 4,
    pool: str = "prefork",
    broker: Broker = "redis",
    environment: Mapping[str, str] | None = None,
) -> Iterator[dict[str, str]]:
    """Run the whole system on free ports while the context is open; yield the environment that leads to it.

    That is ``AMENDS_BACKEND``, ``CELERY_BROKER_URL``, ``SERVICES_URL``, ``SERVICES_PORT``, with `flower` also
    ``FLOWER_URL``, and whatever `environment` sets; it is given to every process on top of this one's own.
    Data, logs (``<name>.log``) and ``env`` (for a shell) are in `directory`, which starts empty.

    Raises :class:`demo.errors.LocalError` with the end of the log of what did not come up.
    """
    flower_port = free_port() if flower else None
    options = StackOptions(
        flower_port=flower_port, concurrency=concurrency, pool=pool, broker=broker
    )
    with owned(directory) as owner, started(owner, options, environment or {}) as urls:
        yield {**(environment or {}), **urls}


@contextlib.contextmanager
def started(
    owner: Owner, options: StackOptions, environment: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    """Run the whole system, as `options` say, in the owner's directory; yield the settings that lead to it.

    ``AMENDS_BACKEND`` and ``CELERY_BROKER_URL`` in `environment`, or in this process's own, are used as they are.
    """
    known = {**os.environ, **environment}
    with _stores(owner, options, known) as stores:
        urls = stores | _addresses(options)
        settings = {**environment, **urls, **_fresh_database(owner.directory, known)}
        with owner.running(_programs(options, urls), environment=settings, echo=options.echo):
            _await_all(owner, urls)
            with _env_file(owner.directory, {**_time_scale(known), **urls}):
                yield urls


@contextlib.contextmanager
def _stores(
    owner: Owner, options: StackOptions, known: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    """Yield where the saga log and the messages are, with servers of our own unless there are others."""
    echo, broker = options.echo, known.get("CELERY_BROKER_URL")
    with contextlib.ExitStack() as stack:
        log = messages = redis.external_url(known)
        if log is None:
            url = stack.enter_context(redis.started(owner, echo=echo))
            log, messages = f"{url}/1", f"{url}/0"
        if not broker and options.broker == "rabbitmq":
            messages = stack.enter_context(rabbitmq.started(owner, echo=echo))
        yield {"AMENDS_BACKEND": log, "CELERY_BROKER_URL": broker or str(messages)}


def _addresses(options: StackOptions) -> dict[str, str]:
    port = options.services_port or free_port()
    urls = {"SERVICES_PORT": str(port), "SERVICES_URL": f"http://{LOOPBACK}:{port}"}
    if options.flower_port is not None:
        urls["FLOWER_URL"] = f"http://{LOOPBACK}:{options.flower_port}"
    return urls


def _fresh_database(directory: Path, known: Mapping[str, str]) -> dict[str, str]:
    if "SERVICES_DATABASE_URL" in known:
        return {}
    for stale in directory.glob("services.sqlite3*"):
        stale.unlink()
    path = directory.resolve() / "services.sqlite3"
    return {"SERVICES_DATABASE_URL": f"sqlite:///{path}"}


def _time_scale(known: Mapping[str, str]) -> dict[str, str]:
    return {name: known[name] for name in ("AMENDS_TIME_SCALE",) if name in known}


def _programs(options: StackOptions, urls: Mapping[str, str]) -> dict[str, list[str]]:
    celery = [sys.executable, "-m", "celery", "-A", options.application]
    worker = [*celery, "worker", "--pool", options.pool, "--loglevel", "INFO"]
    programs = {
        "services": [sys.executable, "-m", "services"],
        "workers": [*worker, "--hostname", "orders@%h", "--concurrency", str(options.concurrency)],
        # A worker that does nothing else, so that an undo never waits behind a forward backlog.
        "compensations": [
            *worker,
            *("--hostname", "compensations@%h", "--queues", "compensations"),
            *("--concurrency", str(COMPENSATION_CONCURRENCY)),
        ],
    }
    if "FLOWER_URL" in urls:
        address = (f"--address={LOOPBACK}", f"--port={options.flower_port}")
        programs["flower"] = [*celery, "flower", *FLOWER_OPTIONS, *address]
    return programs


def _await_all(owner: Owner, urls: Mapping[str, str]) -> None:
    """Wait until every program answers."""

    def wait(name: str, answers: Callable[[], bool]) -> None:
        owner.await_answer(name, answers, timeout=TIMEOUT)

    wait("services", partial(_is_up, f"{urls['SERVICES_URL']}/health"))
    # With the defaults of Celery, not the settings of the application: those are read from the environment of
    # the process, which is not this one's.
    with Celery("demo", broker=urls["CELERY_BROKER_URL"], set_as_current=False) as application:
        wait("workers", partial(_pongs, application, "orders"))
        wait("compensations", partial(_pongs, application, "compensations"))
    if "FLOWER_URL" in urls:
        wait("flower", partial(_is_up, f"{urls['FLOWER_URL']}/healthcheck"))


def _is_up(page: str) -> bool:
    try:
        with urlopen(page, timeout=2.0) as answer:  # noqa: S310 - an address of ours
            return bool(answer.status == 200)  # noqa: PLR2004
    except OSError:
        return False


def _pongs(application: Celery, node: str) -> bool:
    hostname = f"{node}@{socket.gethostname()}"
    return bool(application.control.ping(destination=[hostname], timeout=1.0))


@contextlib.contextmanager
def _env_file(directory: Path, urls: Mapping[str, str]) -> Iterator[None]:
    """Keep the file that gives another shell its URLs: ``. .run/env``."""
    path = directory / "env"
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(urls.items())]
    path.write_text("".join(lines), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
