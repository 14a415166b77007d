"""The tables of docs/scaling.md, from the figures in the repository: ``python -m benchmarks.capacity.tables``."""

import json
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.capacity.scenarios import enough
from benchmarks.capacity.shares import at_once, share
from benchmarks.contenders import ROOT
from benchmarks.results import spread

Rows = Sequence[Mapping[str, Any]]

_RESULTS: Final = ROOT / "benchmarks/results"
_MODEL_SHARDS: Final = 1_024
_MODEL_SYNC: Final = 0.001
_SHOWN: Final = (1, 3, 6, 12, 24, 48, 96, 192)
"""Numbers of primaries."""
_FULL: Final = 0.95
"""Part of a node's time beyond which waits depend on how long a run is."""
_GB: Final = 10
_FEW: Final = 10_000
"""Sagas a second."""
_FEWEST_SHARDS: Final = 64
_OF_A_LOG: Final = (1, 3, 6, 12, 24)
_DISPATCHES: Final = ("chain", "inline")


def read(name: str) -> Rows:
    """Return the rows of a file of figures."""
    rows: Rows = json.loads((_RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    return rows


def _of(rows: Rows, **labels: Any) -> list[Mapping[str, Any]]:
    return [row for row in rows if labels.items() <= row.items()]


def _values(rows: Rows, name: str) -> list[Any]:
    return list(dict.fromkeys(row[name] for row in rows))


def _line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _parts(values: Sequence[float]) -> str:
    return ", ".join(f"{each / sum(values):.1%}" for each in values)


def by_count(cluster: Rows, _: Rows) -> Iterator[str]:
    """Yield what a saga cost each node."""
    for row in _of(cluster, what="sagas"):
        times = [each["scripts"] for each in row["spent"]]
        lost = (row["elsewhere"], row["on_several"], row["strays"])
        cells = (f"{row['each']:g}", _parts(row["by_node"]), _parts(times), *lost)
        yield _line([row["dispatch"], row["log"], *cells])


def asked_of_all(cluster: Rows, _: Rows) -> Iterator[str]:
    """Yield what each node got for a question to the whole log."""
    for row in _of(cluster, what="upkeep"):
        names = [name for name in row if name not in ("what", "log")]
        yield _line(
            [
                row["log"],
                *(", ".join(str(sum(node.values())) for node in row[each]) for each in names),
            ]
        )


def costs(_: Rows, capacity: Rows) -> Iterator[str]:
    """Yield what a saga takes of the log's thread, and of the network."""
    for dispatch in _DISPATCHES:
        rows = _of(capacity, what="cost", dispatch=dispatch, sync="no")
        names = _values(rows, "transition")
        rounds = [_of(rows, round=number) for number in _values(rows, "round")]
        totals = [sum(row["thread"] for row in each) for each in rounds]
        net = [
            statistics.median(sum(row[way] for row in each) for each in rounds) / 1000
            for way in ("received", "sent")
        ]
        millis = spread([each * 1000 for each in totals], 2)
        yield _line([dispatch, len(names), millis, *(f"{each:.1f}" for each in net)])


def model(_: Rows, capacity: Rows) -> Iterator[str]:
    """Yield how busy the busiest node is, and what a transition waits there for its answer."""
    rows = _of(capacity, what="scenario", shards=_MODEL_SHARDS, sync=_MODEL_SYNC)
    for rate in _values(rows, "rate"):
        for dispatch in _DISPATCHES:
            mine = {row["primaries"]: row for row in _of(rows, rate=rate, dispatch=dispatch)}
            workers = next(iter(mine.values()))["workers"]
            yield _line([f"{rate:,}", dispatch, workers, *(_cell(mine[each]) for each in _SHOWN)])


def _cell(row: Mapping[str, Any]) -> str:
    if row["utilisation"] >= _FULL:
        return ""
    return f"{row['utilisation']:.0%}: {row['p50'] * 1000:.1f}, {row['p99'] * 1000:.1f}"


def plans(_: Rows, capacity: Rows) -> Iterator[str]:
    """Yield what carries a load with half of its time left, the part of a broker's Redis, and the hours that 10 GB a node keep."""
    for row in enough(_of(capacity, what="scenario", sync=_MODEL_SYNC)):
        if row["shards"] != (_FEWEST_SHARDS if row["rate"] <= _FEW else _MODEL_SHARDS):
            continue
        (costs,) = _of(capacity, what="saga", dispatch=row["dispatch"])
        how = (f"{row['rate']:,}", row["dispatch"], f"{row['shards']:,}", row["primaries"])
        busy = (f"{row['utilisation']:.0%}", f"{row['p99'] * 1000:.1f}")
        rest = (f"{row['rate'] * costs['broker']:.0%}", row["workers"])
        yield _line([*how, *busy, *rest, f"{_GB / row['gb_an_hour']:.1f}"])


def limits(_: Rows, capacity: Rows) -> Iterator[str]:
    """Yield the sagas a second that fill a broker on one Redis, one node of a log, and the busiest of 64 shards on more."""
    for dispatch in _DISPATCHES:
        (costs,) = _of(capacity, what="saga", dispatch=dispatch)
        most = 1 / sum(costs["log"])
        found = [share(_FEWEST_SHARDS, at_once(nodes)) for nodes in _OF_A_LOG]
        logs = (f"{most * each.nodes / each.busiest:,.0f}" for each in found)
        yield _line([dispatch, f"{1 / costs['broker']:,.0f}", f"{1 / costs['worker']:,.0f}", *logs])


def shares(_: Rows, capacity: Rows) -> Iterator[str]:
    """Yield by how much the busiest node has more than its even part."""
    rows = _of(capacity, what="share")
    for made in _values(rows, "made"):
        for shards in _values(rows, "shards"):
            mine = _of(rows, made=made, shards=shards)
            told = made.replace("_", " ")
            yield _line([f"{shards:,}, {told}", *(f"{row['busiest']:.2f}" for row in mine)])


def shard_counts(_: Rows, capacity: Rows) -> Iterator[str]:
    """Yield what a log costs by how many shards it has."""
    for shards in _values(_of(capacity, what="kept"), "shards"):
        (kept,) = _of(capacity, what="kept", shards=shards)
        among = _of(capacity, what="among", shards=shards)
        sums = [
            sum(row["thread"] for row in _of(among, round=number)) * 1000
            for number in _values(among, "round")
        ]
        sweep = _asked(capacity, shards, "sweep", "thread", 1000)
        walls = (_asked(capacity, shards, name, "wall", 1) for name in ("list", "stats", "scrape"))
        yield _line([f"{shards:,}", f"{kept['kept']:,.0f}", spread(sums, 2), sweep, *walls])


def _asked(rows: Rows, shards: int, name: str, figure: str, factor: float) -> str:
    found = _of(rows, what="asked", shards=shards, asked=name)
    return spread([row[figure] * factor for row in found], 2)


def fleets(_: Rows, capacity: Rows) -> Iterator[str]:
    """Yield what the sweeps of so many workers take of the node with the heartbeats."""
    rows = _of(capacity, what="fleet")
    for workers in _values(rows, "workers"):
        mine = _of(rows, workers=workers)
        sweep = [row["sweep"] * 1000 for row in mine]
        yield _line([workers, spread(sweep, 2), f"{statistics.median(sweep) * workers / 5000:.1%}"])


TABLES: Final[Sequence[Callable[[Rows, Rows], Iterator[str]]]] = (
    by_count,
    asked_of_all,
    costs,
    plans,
    model,
    limits,
    shares,
    shard_counts,
    fleets,
)


def main() -> None:
    """Print the lines of all tables."""
    figures = read("cluster"), read("capacity")
    for each in TABLES:
        print(each.__name__, *each(*figures), "", sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
