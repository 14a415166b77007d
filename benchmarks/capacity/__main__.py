"""How many sagas a second so many primaries carry: ``make bench-capacity``.

What a saga's transitions take of Redis's thread is measured, and put into a model of k primaries; how evenly shards are
spread is calculated; what many shards cost is measured. `Plan` lists what the environment sets.
"""

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Console
from rich.table import Table

from benchmarks.capacity.costs import DISPATCHES, Rows, log_on_a_redis, measure_all
from benchmarks.capacity.fleet import measure_fleet
from benchmarks.capacity.scenarios import costs_of, enough, judge, scenarios
from benchmarks.capacity.shard_counts import measure_shards
from benchmarks.capacity.shares import at_once, doubled, grown, share
from benchmarks.plan import read_fields
from benchmarks.results import describe_machine, write_rows

SYNCS: Final = (0.0, 0.001)
"""Seconds of a sync: none, and an assumed disk."""
_NODES: Final = (3, 6, 12, 24, 48)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured. Each field is a variable of its name, in capitals; lists are joined by commas.

    sagas: of a run.
    ended: sagas in a log whose shards are many or few.
    simulated: sagas of a run of the model.
    results: file for the figures.
    """

    rounds: int = 5
    sagas: int = 100
    ended: int = 50_000
    shards: tuple[int, ...] = (64, 1_024, 4_096)
    workers: tuple[int, ...] = (1, 100, 400)
    rates: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    primaries: tuple[int, ...] = (1, 3, 6, 12, 16, 24, 32, 48, 64, 96, 192, 384)
    simulated: int = 5_000
    results: Path | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ``ValueError`` for a number that is none."""
        return cls(**read_fields(cls, environment))

    def told(self) -> Mapping[str, Any]:
        """Return what was asked for, but for where the figures go."""
        return {name: each for name, each in vars(self).items() if name != "results"}


def spreads() -> Rows:
    """Calculate how evenly shards are spread, over nodes that were there at once or came one by one."""
    return [
        {"what": "share", "made": made.__name__, **vars(found), "busiest": found.busiest}
        for made in (at_once, doubled, grown)
        for shards in (64, 256, 1_024, 4_096)
        for nodes in _NODES
        for found in [share(shards, made(nodes))]
    ]


def simulated(rows: Rows, plan: Plan) -> Rows:
    """Put the measured costs into the model."""
    costs = {dispatch: costs_of(rows, dispatch) for dispatch in DISPATCHES}
    told = [{"what": "saga", "dispatch": name, **vars(each)} for name, each in costs.items()]
    cases = scenarios(plan.rates, plan.primaries, plan.shards[:2], SYNCS)
    found = [judge(each, costs[each.dispatch], sagas=plan.simulated) for each in cases]
    return [*told, *({"what": "scenario", **each} for each in found)]


def table(rows: Rows) -> Table:
    """Return for each load the fewest primaries that are busy for half of their time at most."""
    heads = ("sagas/s", "dispatch", "shards", "sync, ms", "primaries", "busy", "p50, ms", "p99, ms")
    found = Table(*heads, "GB an hour kept", "workers")
    for row in enough(rows):
        times = (f"{row[name] * 1000:.2f}" for name in ("p50", "p99"))
        how = (f"{row['rate']:,}", row["dispatch"], f"{row['shards']:,}", f"{row['sync'] * 1000:g}")
        cells = (f"{row['gb_an_hour']:.2f}", f"{row['workers']:,}")
        found.add_row(*how, f"{row['primaries']}", f"{row['utilisation']:.0%}", *times, *cells)
    return found


def main() -> int:
    """Measure, print a table, and write the figures to ``RESULTS``."""
    plan, began = Plan.read(), time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)  # noqa: T201

    with log_on_a_redis() as (place, _):
        machine = describe_machine(place.info("server")["redis_version"])
    rows: Rows = [*spreads(), *measure_all(plan.rounds, plan.sagas, say)]
    how: dict[str, Any] = {"ended": plan.ended, "rounds": plan.rounds, "sagas": plan.sagas}
    rows += measure_fleet(plan.workers, rounds=plan.rounds, say=say)
    for shards in plan.shards:
        rows += measure_shards(shards, **how, say=say)
    rows += simulated(rows, plan)
    Console(width=140).print(table(rows))
    if plan.results:
        seconds = time.monotonic() - began
        write_rows(
            plan.results, {"machine": machine, "asked": plan.told(), "seconds": seconds}, rows
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
