"""What sagas cost that wait: ``make bench-waiting``. `Plan` lists what the environment sets."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Console
from rich.table import Table

from benchmarks.growth.plan import Rows, Say
from benchmarks.plan import read_fields
from benchmarks.results import describe_machine, spread, write_rows
from benchmarks.servers import server
from benchmarks.waiting.standing import measure_standing
from benchmarks.waiting.timers import measure_timers

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured. Each field is a variable of its name, in capitals.

    sagas: that wait, and timers that are due in one second.
    rounds: of sweeps, and of intervals in which workers are idle.
    idle: seconds of such an interval.
    processes: of each worker.
    spread: `amends_timer_spread` for the second run of the timers, in seconds; 0 for one in which 200 are due each second.
    results: file for the figures.
    """

    sagas: int = 2_000
    rounds: int = 5
    idle: int = 3
    processes: int = 2
    spread: int = 0
    results: Path | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ``ValueError`` for a number that is none."""
        return cls(**read_fields(cls, environment))


def measure(plan: Plan, say: Say) -> Iterator[Rows]:
    """Measure sagas that wait for a signal, and then timers, at once and spread; yield what was found after each."""
    how: dict[str, Any] = {"sagas": plan.sagas, "processes": plan.processes, "say": say}
    standing: Rows = []
    for found in measure_standing(rounds=plan.rounds, idle=plan.idle, **how):
        standing += found
        yield found
    rate = plan.sagas / standing[0]["seconds"]
    for seconds in (0, plan.spread or max(1, plan.sagas // 200)):
        yield [measure_timers(spread=float(seconds), rate=rate, **how)]
        say(f"timers that are spread over {seconds} s were called")


def of_rounds(rows: Sequence[Row], what: str, figure: str) -> dict[str, list[float]]:
    """Return a figure with waiting sagas and without, round by round."""
    return {
        on: [row[figure] for row in rows if (row["what"], row.get("on")) == (what, on)]
        for on in ("with", "without")
    }


def compared(
    rows: Sequence[Row], what: str, figure: str, compare: Callable[[float, float], float]
) -> list[float]:
    """Compare a figure with waiting sagas and without, round by round."""
    both = of_rounds(rows, what, figure)
    return [compare(*pair) for pair in zip(both["with"], both["without"], strict=True)]


_TIMERS: Final = (
    ("peak", "calls in their busiest second", 1, 0),
    ("busy", "calls a second in their busiest ten", 1, 0),
    ("first", "s from the time to the first call", 1, 1),
    ("seconds", "s from the time to the last call", 1, 1),
    ("missing", "timers without a call", 1, 0),
    ("repeated", "timers with several calls", 1, 0),
)
_LATENCIES: Final = (
    ("ping_before", "ms of a PING of the log before: median, p99, longest"),
    ("ping", "ms of a PING of the log meanwhile"),
    ("start_before", "ms of a start before"),
    ("start", "ms of a start meanwhile"),
)


def tables(plan: Plan, rows: Sequence[Row]) -> list[Table]:
    """Return the figures: median, smallest and largest of the rounds."""
    (held,) = (row for row in rows if row["what"] == "held")
    (told,) = (row for row in rows if row["what"] == "signalled")
    standing = Table(
        "", f"{plan.sagas:,} more sagas wait", "without", "compared", title_justify="left"
    )
    standing.add_row("messages in the broker", f"{held['messages']}")
    standing.add_row("messages in the worker's hands", f"{held['in_hand']}")
    standing.add_row("bytes each, beside the input", f"{held['bytes_each']:,.0f}")
    for what, figure, title, factor, compare in (
        ("sweep", "scripts", "us of scripts a sweep", 1e6, lambda a, b: a / b),
        ("sweep", "processor", "us of a processor a sweep", 1e6, lambda a, b: a / b),
        ("idle", "worker", "% of a processor, idle worker", 100.0, lambda a, b: 100 * (a - b)),
        ("idle", "log", "% of a processor, its log", 100.0, lambda a, b: 100 * (a - b)),
    ):
        both = of_rounds(rows, what, figure)
        cells = [spread([factor * each for each in both[on]], 2) for on in ("with", "without")]
        standing.add_row(title, *cells, spread(compared(rows, what, figure, compare), 3))
    answers = ", ".join(f"{count} {answer}" for answer, count in told["told"].items())
    standing.add_row("answers to a batch of signals", answers)
    standing.add_row("s to give them", f"{told['signalling']:.1f}")
    standing.add_row("s until the last went on", f"{told['seconds']:.1f}")
    standing.add_row("sagas that did not", f"{told['missing']}")
    standing.add_row("sagas that did twice", f"{told['repeated']}")
    timers = [row for row in rows if row["what"] == "timers"]
    heads = [f"spread over {row['spread']:.0f} s" for row in timers]
    burst = Table(f"{plan.sagas:,} timers due in one second", *heads)
    for name, title, factor, digits in _TIMERS:
        burst.add_row(title, *(f"{row[name] * factor:,.{digits}f}" for row in timers))
    for name, title in _LATENCIES:
        parts = [[row[f"{name}_{part}"] for part in ("p50", "p99", "longest")] for row in timers]
        burst.add_row(title, *(", ".join(f"{each * 1000:,.1f}" for each in some) for some in parts))
    return [standing, burst]


def main() -> int:
    """Measure, print the figures, and write them to ``RESULTS``."""
    plan, began = Plan.read(), time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)  # noqa: T201

    with tempfile.TemporaryDirectory() as directory, server(Path(directory)) as place:
        machine = describe_machine(place.info("server")["redis_version"])
    rows: Rows = []
    for found in measure(plan, say):
        rows += found
        head = {"machine": machine, "asked": asdict(plan), "seconds": time.monotonic() - began}
        if plan.results:
            write_rows(plan.results, head, rows)  # each time: a run is long
    for table in tables(plan, rows):
        Console(width=140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
