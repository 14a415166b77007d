"""A Redis of our own, and the workers that are measured; nothing outlives the process that starts them."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil  # type: ignore[import-untyped]
import redis

from demo.leash import leashed
from demo.programs import ROOT, owned
from demo.servers import own_redis

GRACE: Final = 10.0  # seconds that a worker has to end


@dataclass(frozen=True, kw_only=True)
class Bed:
    """A Redis of our own at `url`, and the `directory` of its data and of all logs."""

    directory: Path
    url: str
    client: "redis.Redis"

    def clear(self) -> None:
        """Empty all databases, and remove those in files."""
        self.client.flushall()
        for file in self.directory.glob("*.sqlite*"):
            file.unlink()

    def sync(self, when: str) -> None:
        """Let Redis sync what it writes: ``always`` or ``everysec``."""
        self.client.config_set("appendfsync", when)

    def cpu_seconds(self) -> float:
        """Return the processor time that Redis has used."""
        used: Any = self.client.info("cpu")
        return float(used["used_cpu_user"] + used["used_cpu_sys"])


@contextlib.contextmanager
def bed(directory: Path) -> Iterator[Bed]:
    """Run an empty Redis that never rewrites its file, whose work would fall on one and not on another."""
    with (
        owned(directory) as here,
        own_redis(here) as url,
        redis.Redis.from_url(url) as client,
    ):
        client.config_set("auto-aof-rewrite-percentage", 0)
        yield Bed(directory=here, url=url, client=client)


class Worker:
    """A worker with all its processes."""

    def __init__(self, leash: "subprocess.Popen[bytes]", log: Path) -> None:
        self._leash = leash
        self.log = log

    def processes(self) -> list[psutil.Process]:
        """Return its processes, the parents first. Raises ``RuntimeError`` where it has ended."""
        if self._leash.poll() is not None:
            raise RuntimeError(f"the worker ended by itself, see {self.log}: {self.tail()}")
        children: list[psutil.Process] = psutil.Process(self._leash.pid).children(recursive=True)
        return children

    def hold(self) -> None:
        """Let it stand still, wherever it is."""
        self._send(signal.SIGSTOP)

    def release(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        for process in self.processes():
            process.send_signal(number)

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used."""
        times = [process.cpu_times() for process in self.processes()]
        return float(sum(each.user + each.system for each in times))

    def tail(self) -> str:
        """Return the end of what it wrote."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]


@contextlib.contextmanager
def worker(
    place: Bed, name: str, command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Worker]:
    """Run a worker until the context ends, with its output in ``<name>.log``."""
    log = place.directory / f"{name}.log"
    with log.open("wb") as output:
        leash = subprocess.Popen(  # noqa: S603 - our own command
            leashed(command, grace=GRACE),
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    running = Worker(leash, log)
    try:
        yield running
    finally:
        with contextlib.suppress(RuntimeError, psutil.Error):
            running.release()
        leash.terminate()
        leash.wait()
