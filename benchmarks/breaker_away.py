"""What a guarded call takes while its breaker's Redis is frozen, and while it is killed."""

import logging
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.table import Table

from demo.ports import free_port
from demo.servers import redis_answers, redis_command

TRIES: Final = 4
"""Times that a Redis which is away is asked, with rests of 1, 2 and 4 s between them."""
PAUSE: Final = 0.001  # seconds before each call
BARE_CALLS: Final = 5000

Call = Callable[[Callable[[], object]], object]
"""A way to make a call, guarded or not."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A Redis of its own, which may be frozen and killed."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def redis_server() -> Iterator[Server]:
    """Run one."""
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        command = redis_command(port, Path(directory))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
        url = f"redis://127.0.0.1:{port}"
        try:
            while not redis_answers(url):
                time.sleep(0.05)
            yield Server(url=url, process=process)
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def measure_away(way_at: Callable[[str], Call]) -> Table:
    """Tell what a call takes that asks Redis in vain, and those between."""
    table = Table(title=f"Redis is away: a call each ms, until it was asked {TRIES} times; ms")
    for heading in ("Redis", "calls that asked it", "the others", "", "their slowest"):
        table.add_column(heading, justify="right")
    for number, told in ((signal.SIGKILL, "killed"), (signal.SIGSTOP, "frozen")):
        with redis_server() as server:
            way = way_at(server.url)
            way(lambda: None)
            server.process.send_signal(number)
            asked, others = _calls_until_asked(way)
        table.add_row(told, spread(asked), *_summary(others))
    bare = [_took(lambda call: call()) for _ in range(BARE_CALLS)]
    table.add_row("no breaker", "", *_summary(bare))
    return table


def _calls_until_asked(way: Call) -> tuple[list[float], list[float]]:
    """Make calls, and return what those took that asked Redis, and the others."""
    asked: list[float] = []
    others: list[float] = []
    with _errors_counted() as errors:
        while len(asked) < TRIES:
            before = len(errors)
            took = _took(way)
            (asked if len(errors) > before else others).append(took)
    return asked, others


def _took(way: Call) -> float:
    """Measure one call after a pause, in ms."""
    time.sleep(PAUSE)
    return seconds_of(way, lambda: None) * 1000


@contextmanager
def _errors_counted() -> Iterator[list[logging.LogRecord]]:
    """Collect what this process says of a Redis that does not answer."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    records: list[logging.LogRecord] = []
    collector, logger = Collector(logging.WARNING), logging.getLogger("amends.breaker.redis_access")
    logger.addHandler(collector)
    try:
        yield records
    finally:
        logger.removeHandler(collector)


def _summary(values: list[float]) -> tuple[str, str, str]:
    return f"{len(values)} calls", f"{statistics.median(values):.3f}", f"{max(values):.3f}"


def seconds_of(way: Call, call: Callable[[], object]) -> float:
    """Measure one call."""
    began = time.perf_counter()
    way(call)
    return time.perf_counter() - began


def spread(values: list[float]) -> str:
    """Tell the median of figures, the smallest and the largest."""
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
