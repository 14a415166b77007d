"""The figures of all runs: as JSON, and as tables for a terminal."""

import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from benchmarks.contenders import BASE, variants_of
from benchmarks.counting import Counts

Rounds = Mapping[str, list[dict[str, Any]]]
"""Figures of each round, by the contender's name."""

FIGURES: Final = (
    # a figure, what it is called, what it is multiplied by, its digits
    ("throughput", "sagas/s", 1, 1),
    ("starts", "starts/s", 1, 0),
    ("starts_many", "starts/s, start_many", 1, 0),
    ("p50", "latency p50, ms", 1000, 1),
    ("p99", "latency p99, ms", 1000, 1),
    ("cpu", "processor ms a saga", 1000, 1),
    ("cpu_redis", "of these Redis", 1000, 1),
    ("cpu_start", "processor ms a start", 1000, 2),
)


COMPARED: Final = ("throughput", "starts", "starts_many", "p50", "cpu")


@dataclass(frozen=True, kw_only=True)
class Results:
    """What one ``make bench`` came to.

    rounds: by the value of ``appendfsync``.
    order_bytes: what a finished order of the reference system keeps.
    left_out: why a contender is missing, by its name.
    """

    machine: Mapping[str, Any]
    asked: Mapping[str, Any]
    rounds: Mapping[str, Rounds]
    titles: Mapping[str, str]
    counts: Mapping[str, Counts]
    order_bytes: float | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write a JSON file, and the folders above it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1, default=str)
        path.write_text(f"{text}\n", encoding="utf-8")


def tables(results: Results) -> Iterator[Table]:
    """Yield the figures of each way to sync, how they compare, and what was counted."""
    for sync, rounds in results.rounds.items():
        title = (
            f"appendfsync {sync}, {results.asked['rounds']} rounds: median (smallest to largest)"
        )
        table = Table("", *(told for _, told, *_ in FIGURES), title=title, title_justify="left")
        for name in rounds:
            cells = [
                spread([each * factor for each in column(rounds, name, figure)], digits)
                for figure, _, factor, digits in FIGURES
            ]
            table.add_row(results.titles[name], *cells)
        yield table
        yield _compared(f"appendfsync {sync}: ratio of two, round by round", results, rounds)
    yield _counted(results)


def _compared(title: str, results: Results, rounds: Rounds) -> Table:
    """Compare all with `BASE`, and what is ours with its variants."""
    headings = [told for figure, told, *_ in FIGURES if figure in COMPARED]
    table = Table("", "to", *headings, title=title, title_justify="left")
    pairs = [(name, BASE) for name in rounds if BASE in rounds and name != BASE]
    pairs += [(name, other) for name in rounds for other in rounds if other in variants_of(name)]
    for name, base in pairs:
        cells = [spread(ratios(rounds, name, base, figure), 2) for figure in COMPARED]
        table.add_row(results.titles[name], results.titles[base], *cells)
    return table


def _counted(results: Results) -> Table:
    headings = ("start", "run", "run: log", "run: results", "bytes kept")
    table = Table("Commands for one saga", *headings)
    for name, one in results.counts.items():
        commands = (one.start.all, one.run.all, one.run.log, one.run.results)
        cells = (f"{each:.1f}" for each in commands)
        table.add_row(results.titles[name], *cells, f"{one.bytes_kept:,.0f}")
    if results.order_bytes is not None:
        table.caption = f"an order of the reference system keeps {results.order_bytes:,.0f} bytes"
    return table


def column(rounds: Rounds, name: str, figure: str) -> list[float]:
    """Return one figure of a contender, round by round; empty if it has no such figure."""
    values = [each[figure] for each in rounds[name]]
    return [] if None in values else values


def ratios(rounds: Rounds, name: str, base: str, figure: str) -> list[float]:
    """Return a figure's ratio to the base's, round by round. `start_many` is compared with plain starts."""
    others = column(rounds, base, "starts" if figure == "starts_many" else figure)
    pairs = zip(column(rounds, name, figure), others, strict=False)
    return [value / other for value, other in pairs]


def spread(values: Sequence[float], digits: int) -> str:
    """Return the median, and in parentheses the smallest and the largest; empty for no values."""
    if not values:
        return ""
    low, high = min(values), max(values)
    return f"{statistics.median(values):,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def describe_machine(redis_version: str) -> dict[str, Any]:
    """Return what the figures depend on beside the code."""
    return {
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "redis_server": redis_version,
        "packages": {
            each.name: each.version
            for each in importlib.metadata.distributions()
            if each.name in {"celery", "kombu", "redis", "hiredis", "dbos", "celery-saga"}
        },
        "load_at_start": os.getloadavg()[0],
    }


def write_rows(path: Path, head: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a JSON file; a row a line, so that two runs can be compared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f"  {json.dumps(_rounded(row))}" for row in rows)
    text = json.dumps(head, indent=1, default=str).removesuffix("\n}")
    path.write_text(f'{text},\n "rows": [\n{lines}\n ]\n}}\n', encoding="utf-8")


def _rounded(value: Any) -> Any:
    """Leave out digits that nobody measured."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value
