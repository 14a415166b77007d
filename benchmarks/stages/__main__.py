"""What stages of several branches cost: ``make bench-stages``. `Plan` lists what the environment sets."""

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import Contender
from benchmarks.course import LOG, PATIENCE, Course, course
from benchmarks.monitor import Monitor, of_sagas
from benchmarks.plan import read_fields
from benchmarks.results import describe_machine, spread, write_rows
from benchmarks.servers import Server, server
from benchmarks.stages.saga import BRANCHES

_SAGA: Final = "benchmarks.stages.saga"
_DISPATCHES: Final = ("chain", "inline")
_WARM: Final = 20
_STEPS: Final = BRANCHES + 2

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured. Each field is a variable of its name, in capitals.

    sagas: with branches, of a round.
    items: of a list, and sagas of one step beside them.
    processes: of the worker that does items and sagas of one step; the one that does branches has one for each.
    profile: folder for what cProfile says of the pool's processes that do items.
    results: file for the figures.
    """

    rounds: int = 5
    sagas: int = 30
    items: int = 1_000
    processes: int = 2
    profile: Path | None = None
    results: Path | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ``ValueError`` for a number that is none."""
        return cls(**read_fields(cls, environment))


@contextmanager
def warm(
    place: Server, kind: str, dispatch: str, *, processes: int, profile: Path | None = None
) -> Iterator[Course]:
    """Run a warm worker for one of the sagas."""
    environment = {"BENCH_KIND": kind, "BENCH_DISPATCH": dispatch}
    contender = Contender(f"{kind}-{dispatch}", kind, _SAGA, environment=environment)
    with course(contender, place, warm=_WARM, concurrency=processes, profile=profile) as running:
        yield running


def joins(place: Server, dispatch: str, sagas: int) -> Iterator[Row]:
    """Start sagas one by one; yield of each the time of its stage by that of its longest branch, by its history."""
    with warm(place, "branches", dispatch, processes=BRANCHES) as running:
        for number in range(_WARM, _WARM + sagas):
            seen = running.stamps.count()
            running.driver.start(range(number, number + 1))
            running.stamps.wait_for(seen + 1, timeout=PATIENCE)
        running.settle()
        with running.log() as log:
            for number in range(_WARM, _WARM + sagas):
                history = log.read_history(f"s-{number}")
                yield {"what": "join", "dispatch": dispatch, **join_of(history)}


def join_of(history: Sequence[Any]) -> dict[str, float]:
    """Return the seconds of a stage and of its longest branch, and the one by the other."""
    at = {(each.name, each.record): each.at for each in history}
    names = [f"wait_{n}" for n in range(1, BRANCHES + 1)]
    began = {name: at["step.started", name] for name in names}
    longest = max(at["step.completed", name] - began[name] for name in names)
    stage = at["step.started", "finish"] - min(began.values())
    return {"stage": stage, "longest": longest, "ratio": stage / longest}


def rate(place: Server, kind: str, dispatch: str, plan: Plan) -> float:
    """Return how many items, or sagas of one step, are done a second: from the start of the first on."""
    profile = plan.profile if kind == "items" else None
    numbers = range(_WARM, _WARM + plan.items)
    with warm(place, kind, dispatch, processes=plan.processes, profile=profile) as running:
        drained = running.drain(numbers, many=True)
    return plan.items / (drained.starting + drained.seconds)


def scripts(place: Server, dispatch: str, sagas: int) -> Row:
    """Count the commands that sagas with branches send to the log, beyond two for each step."""
    with (
        warm(place, "branches", dispatch, processes=BRANCHES) as running,
        Monitor(place.client) as monitor,
    ):
        seen = running.stamps.count()
        running.hold()
        running.driver.start_many(range(_WARM, _WARM + sagas))
        monitor.take()
        running.worker.thaw()
        running.stamps.wait_for(seen + sagas, timeout=PATIENCE)
        running.settle()
        sent = [each for each in of_sagas(monitor.take(), LOG) if each.name == "EVALSHA"]
    # Inline a finish claims the next step too.
    return {"what": "scripts", "dispatch": dispatch, "a saga": len(sent) / sagas, "steps": _STEPS}


def measure(plan: Plan) -> Iterator[Row]:
    """Yield what is measured, a row each."""
    with tempfile.TemporaryDirectory() as directory, server(Path(directory)) as place:
        for number in range(plan.rounds):
            for dispatch in random.sample(_DISPATCHES, len(_DISPATCHES)):
                for row in joins(place, dispatch, plan.sagas):
                    yield {**row, "round": number}
                kinds = random.sample(("items", "single"), 2)
                rates = {kind: rate(place, kind, dispatch, plan) for kind in kinds}
                ratio = rates["items"] / rates["single"]
                yield {
                    "what": "items",
                    "dispatch": dispatch,
                    "round": number,
                    **rates,
                    "ratio": ratio,
                }
        for dispatch in _DISPATCHES:
            yield scripts(place, dispatch, plan.sagas)


def table(rows: Sequence[Row]) -> Table:
    """Return the figures of each way to go on: median, smallest and largest."""
    found = Table("", *_DISPATCHES)
    told = (
        ("join", "ratio", "from the first claim of a stage to what follows, by its longest branch"),
        ("items", "items", "items of a list a second"),
        ("items", "single", "sagas of one step a second"),
        ("items", "ratio", "the one by the other"),
        (
            "scripts",
            "a saga",
            f"scripts of a saga with {_STEPS} steps, {BRANCHES} of them branches",
        ),
    )
    for what, name, title in told:
        columns = (
            [row[name] for row in rows if (row["what"], row["dispatch"]) == (what, dispatch)]
            for dispatch in _DISPATCHES
        )
        found.add_row(title, *(spread(each, 2) for each in columns))
    return found


def main() -> int:
    """Measure, print a table, and write the figures to ``RESULTS``."""
    plan, began = Plan.read(), time.monotonic()
    with tempfile.TemporaryDirectory() as directory, server(Path(directory)) as place:
        machine = describe_machine(place.info("server")["redis_version"])
    rows = list(measure(plan))
    head = {"machine": machine, "asked": asdict(plan), "seconds": time.monotonic() - began}
    if plan.results:
        write_rows(plan.results, head, rows)
    Console(width=140).print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
