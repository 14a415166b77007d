"""What the rows come to: medians, and ratios round by round."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.growth.plan import Rows

Figure = Callable[[dict[str, Any]], float]
"""Reads one figure of a row."""

CPU_PARTS = ("cpu_log", "cpu_broker", "cpu_worker")


def wall(row: dict[str, Any]) -> float:
    """Return the time that each saga took of the whole."""
    return float(row["wall"])


def cpu(row: dict[str, Any]) -> float:
    """Return the processor time of a saga: of worker, broker and log."""
    return float(sum(row[part] for part in CPU_PARTS))


def cpu_log(row: dict[str, Any]) -> float:
    """Return the processor time of the log's Redis."""
    return float(row["cpu_log"])


def less_idle(idle: Rows) -> Figure:
    """Return what reads the processor time of a saga, less what its log and worker take anyway in that time."""
    taken = {row["on"]: row["log"] + row["worker"] for row in idle}
    return lambda row: cpu(row) - taken[row["on"]] * wall(row)


def scripts(row: dict[str, Any]) -> float:
    """Return the processor time of all scripts together."""
    return float(sum(row["costs"].values()))


def script(name: str) -> Figure:
    """Return what reads the processor time of one script."""
    return lambda row: float(row["costs"][name])


def where(rows: Rows, **labels: Any) -> Rows:
    """Return the rows that have these labels."""
    return [row for row in rows if all(row.get(name) == each for name, each in labels.items())]


def values(rows: Rows, figure: Figure, **labels: Any) -> list[float]:
    """Return a figure of the rows that have these labels."""
    return [figure(row) for row in where(rows, **labels)]


def median(rows: Rows, figure: Figure, **labels: Any) -> float:
    """Return the median of a figure."""
    return statistics.median(values(rows, figure, **labels))


def compared(rows: Rows, figure: Figure) -> list[float]:
    """Return a figure with others in the log against the same without, round by round."""
    base = {row["round"]: figure(row) for row in where(rows, on="without")}
    return [figure(row) / base[row["round"]] for row in where(rows, on="with")]


def labels_of(rows: Rows, name: str) -> list[Any]:
    """Return the values of a label, in order."""
    return sorted({row[name] for row in rows})


def markdown(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Write a table whose figures are to the right."""
    rule = ["---", *["---:"] * (len(heading) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heading, rule, *lines))
