"""What a closed circuit breaker adds to a call: ``make bench-breaker``.

Side by side in one run, on one Redis, call by call in an order drawn at random: a call of 20 ms without a breaker,
with ours, with pybreaker and with purgatory, both with their Redis storage. Each begins after the same pause, so that
none finds the processor warmer than the others. Then the same without call and pause, which is what is left where
a worker is never idle; and last what ours adds while Redis is away.

What is measured ends where the guarded call returns. Of the two requests of ours, the one after the call is sent by
then and not waited for: its answer is read before the next request. So the table has, beside the requests that Redis
reads for a call, how many of their answers it waits for, and the processor time of this process, in which the reading
of every answer is. Each figure is the median of the rounds, in parentheses the smallest and the largest; a difference
is taken round by round.
"""

import contextlib
import logging
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import redis
from rich.console import Console
from rich.table import Table

from benchmarks.breaker_ways import WAYS, Call, answers_waited_for
from benchmarks.results import spread
from demo.programs import running
from demo.servers import RedisServer

ROUNDS: Final = 11
CALLS: Final = 40
QUICK_CALLS: Final = 400
CALL: Final = 0.020  # seconds
PAUSE: Final = 0.005
TRIES: Final = 4
"""Requests to a Redis that is away, with rests of 1, 2 and 4 s between them."""
_AWAY_PAUSE: Final = 0.001
_BARE_CALLS: Final = 5000


def main() -> int:
    """Measure, and print tables."""
    console = Console(width=140)
    with redis_server() as server:
        for table in _closed(server.url):
            console.print(table)
    console.print(_away())
    return 0


def _closed(url: str) -> Iterator[Table]:
    waited = {name: answers_waited_for(url, way_at) for name, way_at in WAYS.items()}
    ways = {name: way_at(url) for name, way_at in WAYS.items()}
    slow = _rounds(ways, lambda: time.sleep(CALL), CALLS, pause=PAUSE)
    bare = statistics.median(slow["no breaker"])
    shares = {name: f"{statistics.median(mine) / bare - 1:.1%}" for name, mine in slow.items()}
    told = f"A closed breaker, added to a call of 20 ms ({ROUNDS} rounds of {CALLS}); ms"
    yield _table(told, slow, {"share": shares})
    quick = _rounds(ways, lambda: None, QUICK_CALLS, pause=0)
    sent = {name: _requests(url, way) for name, way in ways.items()}
    columns = {
        "commands": {name: each[0] for name, each in sent.items()},
        "requests": {name: each[1] for name, each in sent.items()},
        "waited for": waited,
        "processor": {name: f"{_processor_ms(way):.3f}" for name, way in ways.items()},
    }
    told = f"... and without a call, one after the other ({ROUNDS} rounds of {QUICK_CALLS}); ms"
    yield _table(told, quick, columns)


def _table(
    title: str, medians: Mapping[str, list[float]], columns: Mapping[str, Mapping[str, str]]
) -> Table:
    table = Table("", "added", "more than amends", *columns, title=title)
    for name, mine in medians.items():
        differences = (
            spread([(one - base) * 1000 for one, base in zip(mine, medians[other], strict=True)], 3)
            for other in ("no breaker", "amends")
        )
        table.add_row(name, *differences, *(cells[name] for cells in columns.values()))
    return table


def _rounds(
    ways: Mapping[str, Call], call: Callable[[], object], calls: int, *, pause: float
) -> dict[str, list[float]]:
    """Return the median seconds of a call, for each way and round."""
    medians: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(calls):
            for name in random.sample(list(ways), len(ways)):
                time.sleep(pause)
                began = time.perf_counter()
                ways[name](call)
                seconds[name].append(time.perf_counter() - began)
        for name, each in seconds.items():
            medians[name].append(statistics.median(each))
    return medians


def _processor_ms(way: Call) -> float:
    """Return the processor time of this process that one call takes."""
    began = time.process_time()
    for _ in range(QUICK_CALLS):
        way(lambda: None)
    return (time.process_time() - began) / QUICK_CALLS * 1000


def _requests(url: str, way: Call) -> tuple[str, str]:
    """Return the commands of one call, and how often Redis reads from a client for it."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        client.config_resetstat()
        way(lambda: None)
        stats: Any = client.info("commandstats")
        reads: Any = client.info("stats")
    made = {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}
    made = {name: count for name, count in made.items() if not name.startswith(("info", "config"))}
    told = [f"{count} {name}" if count > 1 else name for name, count in sorted(made.items())]
    return ", ".join(told).upper() or "none", str(reads["total_reads_processed"] - 2)


def _away() -> Table:
    """Measure calls of ours that ask a Redis in vain, and those between."""
    table = Table(title=f"Redis is away: a call each ms, until it was asked {TRIES} times; ms")
    for heading in ("Redis", "calls that asked it", "the others", "", "their slowest"):
        table.add_column(heading, justify="right")
    for told in ("killed", "frozen"):
        with redis_server() as server:
            way = WAYS["amends"](server.url)
            way(lambda: None)
            (server.kill if told == "killed" else server.freeze)()
            asked, others = _calls_until_asked(way)
        table.add_row(told, spread(asked, 3), *_summary(others))
    bare = [_ms_after_pause(WAYS["no breaker"]("")) for _ in range(_BARE_CALLS)]
    table.add_row("no breaker", "", *_summary(bare))
    return table


def _calls_until_asked(way: Call) -> tuple[list[float], list[float]]:
    """Make calls; return the times of those that asked Redis, which logs an error, and of the others."""
    asked: list[float] = []
    others: list[float] = []
    errors: list[logging.LogRecord] = []
    handler, logger = logging.Handler(logging.WARNING), logging.getLogger("amends.breaker")
    handler.emit = errors.append  # type: ignore[method-assign, assignment]
    logger.addHandler(handler)
    try:
        while len(asked) < TRIES:
            before = len(errors)
            took = _ms_after_pause(way)
            (asked if len(errors) > before else others).append(took)
    finally:
        logger.removeHandler(handler)
    return asked, others


def _ms_after_pause(way: Call) -> float:
    time.sleep(_AWAY_PAUSE)
    began = time.perf_counter()
    way(lambda: None)
    return (time.perf_counter() - began) * 1000


def _summary(values: list[float]) -> tuple[str, str, str]:
    return f"{len(values)} calls", f"{statistics.median(values):.3f}", f"{max(values):.3f}"


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a Redis that may be frozen and killed."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer("redis", directory=Path(directory))
        with running(server):
            yield server


if __name__ == "__main__":
    sys.exit(main())
