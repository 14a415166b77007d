"""The figures as tables for a terminal."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.table import Table

from benchmarks.contenders import BASE
from benchmarks.figures import spread
from benchmarks.results import Results, Rounds, column, compared

_COLUMNS: Final = (
    # the figure, its heading, what it is multiplied by, digits
    ("throughput", "sagas/s", 1, 1),
    ("starts", "starts/s", 1, 0),
    ("starts_many", "start_many/s", 1, 0),
    ("p50", "p50, ms", 1000, 1),
    ("p99", "p99, ms", 1000, 1),
    ("cpu", "CPU ms a saga", 1000, 1),
    ("cpu_start", "... a start", 1000, 2),
)


def tables(results: Results) -> Iterator[Table]:
    """Yield, for each way in which Redis synced, the figures, and how they compare."""
    for sync, rounds in results.rounds.items():
        told = f"appendfsync {sync}, {results.asked['rounds']} rounds: median (smallest to largest)"
        yield _table(told, results, rounds, ratio=False)
        yield _table(f"... each round against {results.titles[BASE]}", results, rounds, ratio=True)


def _table(title: str, results: Results, rounds: Rounds, *, ratio: bool) -> Table:
    table = Table(title=title)
    table.add_column("", min_width=14)
    for _, heading, *_ in _COLUMNS:
        table.add_column(heading.partition(",")[0] if ratio else heading, justify="right")
    for name in rounds:
        cells = []
        for figure, _, factor, digits in _COLUMNS:
            if ratio:
                cells.append(_told(compared(rounds, name, figure, BASE), 1, 2))
            else:
                cells.append(_told(column(rounds, name, figure), factor, digits))
        table.add_row(results.titles[name], *cells)
    return table


def _told(values: Sequence[float] | None, factor: float, digits: int) -> str:
    return spread([value * factor for value in values], digits) if values else ""
