"""What a closed circuit breaker adds to a call: ``make bench-breaker``.

Side by side in one run, on one Redis, call by call in an order drawn at random: a call of 20 ms without a breaker,
with ours, with pybreaker and with purgatory, both with their Redis storage. Each begins after the same pause, so that
none finds the processor warmer than the others. Then the same without call and pause, which is what is left where
a worker is never idle; and last what ours adds while Redis is away.
"""

import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import purgatory
import pybreaker
import redis
from celery import Celery
from purgatory.service._sync.unit_of_work import SyncRedisUnitOfWork
from rich.console import Console
from rich.table import Table

from amends import CircuitBreaker
from local.ports import free_port
from local.redis import answers, server_command

ROUNDS: Final = 7
CALLS: Final = 40
QUICK_CALLS: Final = 400
CALL: Final = 0.020  # seconds
PAUSE: Final = 0.005

Call = Callable[[Callable[[], object]], object]


def main() -> int:
    """Measure, and print tables."""
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        server = subprocess.Popen(  # noqa: S603 - our own command
            server_command(port, Path(directory)), stdout=subprocess.DEVNULL
        )
        try:
            _measure(f"redis://127.0.0.1:{port}", server)
        finally:
            server.send_signal(signal.SIGCONT)
            server.kill()
            server.wait()
    return 0


def _measure(url: str, server: subprocess.Popen[bytes]) -> None:
    while not answers(url):
        time.sleep(0.05)
    ways = {
        "no breaker": lambda call: call(),
        "amends": _amends(url),
        "pybreaker": _pybreaker(url),
        "purgatory": _purgatory(url),
    }
    slow = _rounds(ways, lambda: time.sleep(CALL), CALLS, pause=PAUSE)
    quick = _rounds(ways, lambda: None, QUICK_CALLS, pause=0)
    table = Table(
        "",
        "20 ms call, ms",
        "added, ms",
        "added, %",
        "added to no call, ms",
        "commands",
        "round trips",
    )
    for name, way in ways.items():
        added = [
            (mine - bare) * 1000 for mine, bare in zip(slow[name], slow["no breaker"], strict=True)
        ]
        bare = statistics.median(slow["no breaker"]) * 1000
        table.add_row(
            name,
            _spread([seconds * 1000 for seconds in slow[name]]),
            _spread(added),
            f"{statistics.median(added) / bare:.2%}",
            _spread([seconds * 1000 for seconds in quick[name]]),
            *_cost(url, way),
        )
    Console(width=140).print(table)
    _measure_away(ways["amends"], server)


def _rounds(
    ways: dict[str, Call], call: Callable[[], object], calls: int, *, pause: float
) -> dict[str, list[float]]:
    """Return the median seconds of a call, for each way and round."""
    medians: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(calls):
            for name in random.sample(list(ways), len(ways)):
                time.sleep(pause)
                seconds[name].append(_seconds(ways[name], call))
        for name, each in seconds.items():
            medians[name].append(statistics.median(each))
    return medians


def _seconds(way: Call, call: Callable[[], object]) -> float:
    began = time.perf_counter()
    way(call)
    return time.perf_counter() - began


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _cost(url: str, way: Call) -> tuple[str, str]:
    """Tell the commands, and the times that Redis reads from a client, which one call takes."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        looks: list[tuple[dict[str, int], int]] = []
        for _ in range(3):
            stats: Any = client.info("commandstats")
            reads: Any = client.info("stats")
            calls = {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}
            looks.append((calls, reads["total_reads_processed"]))
            if len(looks) == 2:  # noqa: PLR2004 - the first look has its own commands counted
                way(lambda: None)
    (_, (before, reads_before), (after, reads_after)) = looks
    made = {name: count - before.get(name, 0) for name, count in after.items()}
    made["info"] -= 2
    told = ", ".join(f"{name} {count}" for name, count in sorted(made.items()) if count)
    return told or "none", str(reads_after - reads_before - 2)


def _measure_away(way: Call, server: subprocess.Popen[bytes]) -> None:
    """Print what a call costs while Redis is frozen, and then dead."""
    table = Table("Redis", "first call, ms", "the next 1,000, ms", "slowest of them, ms")
    for number, told in ((signal.SIGSTOP, "frozen"), (signal.SIGKILL, "killed")):
        way(lambda: None)
        server.send_signal(number)
        first = _seconds(way, lambda: None) * 1000
        following = [_seconds(way, lambda: None) * 1000 for _ in range(1000)]
        table.add_row(
            told, f"{first:.1f}", f"{statistics.median(following):.4f}", f"{max(following):.3f}"
        )
        server.send_signal(signal.SIGCONT)
        time.sleep(1.1)  # its rest
    Console().print(table)


def _amends(url: str) -> Call:
    app = Celery("breaker", broker="memory://")
    app.conf.amends_backend = url
    app.set_default()
    return CircuitBreaker("service", failure_on=(OSError,)).call


def _pybreaker(url: str) -> Call:
    client = redis.Redis.from_url(url)
    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client)
    breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=60, state_storage=storage)
    guarded: Call = breaker.call
    return guarded


def _purgatory(url: str) -> Call:
    unit = SyncRedisUnitOfWork(url)
    unit.contexts.redis = redis.Redis.from_url(
        url
    )  # 3.0.1 makes itself an asynchronous client here
    factory = purgatory.SyncCircuitBreakerFactory(default_threshold=3, default_ttl=60, uow=unit)

    def guarded(call: Callable[[], object]) -> object:
        with factory.get_breaker("service"):
            return call()

    return guarded


if __name__ == "__main__":
    sys.exit(main())
