"""The figures as tables for a terminal: a row for each figure, a column for each contender."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from rich.table import Table

from benchmarks.contenders import BASE
from benchmarks.counting import Counts
from benchmarks.figures import spread
from benchmarks.results import Results, Rounds, column, compared


class Row(NamedTuple):
    """A figure, what it is called, what it is multiplied by to be told, and with how many digits."""

    figure: str
    told: str
    factor: float = 1
    digits: int = 0


ROWS: Final = (
    Row("throughput", "sagas a second", digits=1),
    Row("starts", "starts a second"),
    Row("starts_many", "the same, start_many"),
    Row("p50", "latency p50, ms", factor=1000, digits=1),
    Row("p99", "latency p99, ms", factor=1000, digits=1),
    Row("cpu", "processor ms a saga", factor=1000, digits=1),
    Row("cpu_redis", "of these Redis", factor=1000, digits=1),
    Row("cpu_start", "processor ms a start", factor=1000, digits=2),
)


def tables(results: Results) -> Iterator[Table]:
    """Yield, for each way in which Redis synced, the figures and how they compare, and what was counted."""
    for sync, rounds in results.rounds.items():
        told = f"appendfsync {sync}, {results.asked['rounds']} rounds: median (from to)"
        yield _table(told, results, rounds, ratio=False)
        if BASE in rounds:
            told = f"appendfsync {sync}: each round against {results.titles[BASE]}"
            yield _table(told, results, rounds, ratio=True)
    yield _counted(results.counts, results)


def _table(title: str, results: Results, rounds: Rounds, *, ratio: bool) -> Table:
    table = _empty(title, results, rounds)
    for row in ROWS:
        cells = []
        for name in rounds:
            if ratio:
                cells.append(_told(compared(rounds, name, row.figure, BASE), 1, 2))
            else:
                cells.append(_told(column(rounds, name, row.figure), row.factor, row.digits))
        table.add_row(row.told, *cells)
    return table


def _counted(counts: Mapping[str, Counts], results: Results) -> Table:
    table = _empty("Counted: for one saga of five steps", results, counts)
    each = counts.values()
    table.add_row("commands to start it", *(f"{one.start.all:.1f}" for one in each))
    table.add_row("commands to run it", *(f"{one.run.all:.1f}" for one in each))
    table.add_row("of these to its log", *(f"{one.run.log:.1f}" for one in each))
    table.add_row("of these to results", *(f"{one.run.results:.1f}" for one in each))
    table.add_row("bytes kept", *(f"{one.bytes_kept:,.0f}" for one in each))
    if results.order_bytes is not None:
        table.caption = f"an order of the reference system keeps {results.order_bytes:,.0f} bytes"
    return table


def _empty(title: str, results: Results, contenders: Mapping[str, object]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for name in contenders:
        table.add_column(results.titles[name], justify="right")
    return table


def _told(values: Sequence[float] | None, factor: float, digits: int) -> str:
    return spread([value * factor for value in values], digits) if values else ""
