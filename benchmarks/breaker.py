"""What a closed circuit breaker adds to a call: ``make bench-breaker``.

Side by side in one run, on one Redis, call by call in an order drawn at random: a call of 20 ms without a breaker,
with ours, with pybreaker and with purgatory, both with their Redis storage. Each begins after the same pause, so that
none finds the processor warmer than the others. Then the same without call and pause, which is what is left where
a worker is never idle; and last what ours adds while Redis is away.

What is measured ends where the guarded call returns. Of the two requests of ours, the one after the call is sent by
then and not waited for: its answer is read before the next request. So the table has, beside the requests that Redis
reads for a call, how many of their answers it waits for, and the time that it takes this process' processor, in which
the reading of every answer is.

Each figure is the median of the rounds, in parentheses the smallest and the largest. A difference to ours is taken
round by round.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import purgatory
import pybreaker
import redis
from celery import Celery
from purgatory.service._sync.unit_of_work import SyncRedisUnitOfWork
from rich.console import Console
from rich.table import Table

from amends import CircuitBreaker
from benchmarks.breaker_away import Call, measure_away, redis_server, seconds_of, spread
from benchmarks.breaker_waits import answers_waited_for

ROUNDS: Final = 11
CALLS: Final = 40
QUICK_CALLS: Final = 400
CALL: Final = 0.020  # seconds
PAUSE: Final = 0.005


def main() -> int:
    """Measure, and print tables."""
    console = Console(width=128)
    with redis_server() as server:
        for table in _closed(server.url):
            console.print(table)
    console.print(measure_away(_amends))
    return 0


def _closed(url: str) -> Iterator[Table]:
    waited = {name: answers_waited_for(url, way_at) for name, way_at in WAYS.items()}
    ways = {name: way_at(url) for name, way_at in WAYS.items()}
    slow = _rounds(ways, lambda: time.sleep(CALL), CALLS, pause=PAUSE)
    told = f"A closed breaker, added to a call of 20 ms ({ROUNDS} rounds of {CALLS}); ms"
    yield _table(told, slow, {"share": _shares(slow)})
    quick = _rounds(ways, lambda: None, QUICK_CALLS, pause=0)
    costs = {name: _cost(url, way) for name, way in ways.items()}
    told = f"... and without a call, one after the other ({ROUNDS} rounds of {QUICK_CALLS}); ms"
    commands = {name: cost[0] for name, cost in costs.items()}
    trips = {name: cost[1] for name, cost in costs.items()}
    columns = {"commands": commands, "requests": trips, "waited for": waited}
    yield _table(told, quick, {**columns, "processor": _processor(ways)})


def _table(
    title: str, medians: Mapping[str, list[float]], columns: Mapping[str, Mapping[str, str]]
) -> Table:
    table = Table(title=title)
    for heading in ("", "added", "more than amends"):
        table.add_column(heading, justify="right")
    for heading in columns:
        table.add_column(heading)
    for name, mine in medians.items():
        added = spread(_differences(mine, medians["no breaker"]))
        more = spread(_differences(mine, medians["amends"]))
        table.add_row(name, added, more, *(cells[name] for cells in columns.values()))
    return table


def _shares(medians: Mapping[str, list[float]]) -> dict[str, str]:
    """Tell how much longer a call takes, for each way."""
    bare = statistics.median(medians["no breaker"])
    return {name: f"{statistics.median(mine) / bare - 1:.1%}" for name, mine in medians.items()}


def _differences(seconds: list[float], others: list[float]) -> list[float]:
    """Tell by how many milliseconds each round differs from another way's."""
    return [(mine - other) * 1000 for mine, other in zip(seconds, others, strict=True)]


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
                seconds[name].append(seconds_of(ways[name], call))
        for name, each in seconds.items():
            medians[name].append(statistics.median(each))
    return medians


def _processor(ways: Mapping[str, Call]) -> dict[str, str]:
    """Tell the processor time of this process which one call takes, for each way."""
    seconds = {}
    for name, way in ways.items():
        began = time.process_time()
        for _ in range(QUICK_CALLS):
            way(lambda: None)
        seconds[name] = (time.process_time() - began) / QUICK_CALLS
    return {name: f"{each * 1000:.3f}" for name, each in seconds.items()}


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
    told = [
        f"{count} {name}" if count > 1 else name for name, count in sorted(made.items()) if count
    ]
    return ", ".join(told).upper() or "none", str(reads_after - reads_before - 2)


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


def _unguarded(_url: str) -> Call:
    return lambda call: call()


WAYS: Final[Mapping[str, Callable[[str], Call]]] = {
    "no breaker": _unguarded,
    "amends": _amends,
    "pybreaker": _pybreaker,
    "purgatory": _purgatory,
}

if __name__ == "__main__":
    sys.exit(main())
