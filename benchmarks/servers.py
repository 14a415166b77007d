"""The Redis and the workers under measurement."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import redis

from demo.programs import Program, running
from demo.servers import RedisServer


class Server(RedisServer):
    """A Redis, with its files in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        super().__init__("redis", directory=self.directory)
        self.client = redis.Redis.from_url(self.url, socket_timeout=600.0)

    def clear(self) -> None:
        """Empty all databases, also those in files."""
        self.client.flushall()
        for file in self.directory.glob("*.sqlite*"):
            file.unlink()

    def info(self, section: str) -> dict[str, Any]:
        """Return a section of ``INFO``."""
        found: Any = self.client.info(section)
        return dict(found)

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used."""
        used = self.info("cpu")
        return float(used["used_cpu_user"] + used["used_cpu_sys"])


@contextlib.contextmanager
def server(directory: Path) -> Iterator[Server]:
    """Run an empty Redis while the context is open.

    It never rewrites its file unasked: that work would fall on one contender and not on another.
    """
    found = Server(directory)
    with running(found), found.client:
        found.client.config_set("auto-aof-rewrite-percentage", 0)
        yield found


class Worker(Program):
    """A worker with all its processes."""

    grace = 10.0

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used. Raises ``DemoError`` if it ended by itself."""
        self.check()
        main = psutil.Process(self.pid)
        times = [each.cpu_times() for each in (main, *main.children(recursive=True))]
        return float(sum(each.user + each.system for each in times))
