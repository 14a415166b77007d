"""So many sagas a second on so many primaries: load, waits and memory of the busiest node, by measured costs."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any, Final

from benchmarks.capacity.costs import Rows
from benchmarks.capacity.queueing import Load, simulate
from benchmarks.capacity.shares import at_once, share
from benchmarks.contenders import OURS, ROOT

_RESULTS: Final = ROOT / "benchmarks/results"
_DISPATCHES: Final = ("chain", "inline")  # as in `OURS`
_PROCESSORS: Final = 4
"""Of a worker."""
_BUSY: Final = 0.6
"""Part of their time that they are meant to work."""
_SWEEP_INTERVAL: Final = 5.0
_BEAT_INTERVAL: Final = 2.0
PLANNED: Final = 0.5
"""Part of a node's time that a good plan uses."""
_SEED: Final = 1


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a saga costs, in seconds. Medians of what was measured.

    log: of the thread of the log's Redis, transition by transition.
    worker: of processors, for its worker.
    broker: of the thread of the broker's Redis.
    sweep: of the log's thread for a sweep of one shard that has nothing due.
    beat, look: of the log's thread for a heartbeat, and for reading it at a sweep.
    kept: bytes of an ended saga.
    """

    log: tuple[float, ...]
    worker: float
    broker: float
    sweep: float
    beat: float
    look: float
    kept: float

    def upkeep(self, shards: int, workers: int) -> float:
        """Return what a worker takes of a node with so many shards, and with the heartbeats, from sweep to sweep."""
        beats = _SWEEP_INTERVAL / _BEAT_INTERVAL * self.beat
        return shards * self.sweep + workers * self.look + beats


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A load, and a cluster for it. `sync` is the time of a sync in seconds."""

    rate: int
    dispatch: str
    primaries: int
    shards: int
    sync: float


def costs_of(rows: Rows, dispatch: str) -> Costs:
    """Read the costs from what was measured now; those of workers and of the broker from figures in the repository."""
    mine = [row for row in rows if row["what"] == "cost" and row["dispatch"] == dispatch]
    names = dict.fromkeys(row["transition"] for row in mine)
    log = [
        statistics.median(
            row["thread"] for row in mine if (row["transition"], row["sync"]) == (name, "no")
        )
        for name in names
    ]
    sweeps = [row for row in rows if row.get("asked") == "sweep"]
    fleets = [row for row in rows if row["what"] == "fleet"]
    return Costs(
        log=tuple(log),
        worker=_grown(dispatch, "cpu_worker"),
        broker=_broker(dispatch),
        sweep=statistics.median(row["thread"] / row["shards"] for row in sweeps),
        beat=statistics.median(row["beat"] for row in fleets),
        look=_look(fleets),
        kept=_grown(dispatch, "kept"),
    )


def _look(fleets: Rows) -> float:
    """Return what one more worker adds to a sweep."""
    sweeps: dict[int, list[float]] = defaultdict(list)
    for row in fleets:
        sweeps[row["workers"]].append(row["sweep"])
    few, many = min(sweeps), max(sweeps)
    more = statistics.median(sweeps[many]) - statistics.median(sweeps[few])
    return more / max(many - few, 1)


@cache
def _rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file of figures."""
    rows: list[dict[str, Any]] = json.loads((_RESULTS / f"{name}.json").read_text("utf-8"))["rows"]
    return rows


def _grown(dispatch: str, figure: str) -> float:
    """Return a figure of the growth benchmark, of sagas of five steps."""
    of = {"what": "steps", "steps": 5, "dispatch": dispatch}.items()
    return statistics.median(float(row[figure]) for row in _rows("growth") if of <= row.items())


def _broker(dispatch: str) -> float:
    """Return what a saga takes of the thread of the broker's Redis, beside one log or another."""
    title = OURS[_DISPATCHES.index(dispatch)].title
    rows = [row for row in _rows("cluster") if row.get("dispatch") == title]
    return statistics.median(float(row["broker"]) for row in rows)


def scenarios(
    rates: tuple[int, ...],
    primaries: tuple[int, ...],
    shards: tuple[int, ...],
    syncs: tuple[float, ...],
) -> Iterator[Scenario]:
    """Yield all of them."""
    for rate, dispatch, nodes, count, sync in product(rates, _DISPATCHES, primaries, shards, syncs):
        yield Scenario(rate=rate, dispatch=dispatch, primaries=nodes, shards=count, sync=sync)


def workers_for(rate: float, costs: Costs) -> int:
    """Return how many workers of four processors run so many sagas a second whose steps take no time of their own."""
    return -int(-rate * costs.worker // (_PROCESSORS * _BUSY))


def judge(scenario: Scenario, costs: Costs, *, sagas: int) -> Mapping[str, Any]:
    """Return what becomes of the busiest node; without waits if no thread carries it."""
    spread = share(scenario.shards, at_once(scenario.primaries))
    part, workers = spread.most / scenario.shards, workers_for(scenario.rate, costs)
    load = Load(
        rate=scenario.rate * part,
        costs=costs.log,
        sync=scenario.sync,
        upkeep_rate=workers / _SWEEP_INTERVAL,
        upkeep_cost=costs.upkeep(spread.most, workers),
    )
    found = {
        **vars(scenario),
        "busiest": spread.busiest,
        "workers": workers,
        "utilisation": load.utilisation,
        "upkeep": load.upkeep_rate * load.upkeep_cost,
        "gb_an_hour": scenario.rate * part * costs.kept * 3600 / 1e9,
    }
    if load.utilisation >= 1:
        return found
    waits = simulate(load, sagas=sagas, seed=_SEED)
    return {**found, **{f"p{each}": waits.answer(each) for each in (50, 99)}}


def enough(rows: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the scenario of each load with the fewest primaries that is at most half of what they carry."""
    done = set()
    for row in rows:
        load = tuple(row.get(name) for name in ("rate", "dispatch", "shards", "sync"))
        if row["what"] == "scenario" and row["utilisation"] <= PLANNED and load not in done:
            done.add(load)
            yield row
