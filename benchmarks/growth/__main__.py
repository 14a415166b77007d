"""How the cost of a saga grows: ``make bench-growth``. `benchmarks.growth.plan` lists what the environment sets."""

import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import GROWTH_SAGA, Contender
from benchmarks.counting import memory_of_sagas
from benchmarks.course import LOG, course
from benchmarks.growth.others import WARM, costs, measure_others, two_servers
from benchmarks.growth.plan import Plan, Rows, Say
from benchmarks.growth.saga import FIVE
from benchmarks.results import describe_machine, spread, write_rows
from benchmarks.servers import Server

_DISPATCHES: Final = ("chain", "inline")
_BYTES_A_RUN: Final = 20_000_000
_FEWEST: Final = 10
_LABELS: Final = ("kind", "size", "on", "steps", "bytes", "processes", "waits", "dispatch")

Case = tuple[dict[str, Any], int]
"""The shape of a saga and its worker, as a row has it, and the sagas of a run."""


def cases_of(axis: str, plan: Plan) -> Iterator[Case]:
    """Yield the cases of an axis; a run has half of the sagas that are asked for, or fewer if they are larger."""
    half = max(plan.sagas // 2, _FEWEST)
    for dispatch in _DISPATCHES:
        if axis == "steps":
            for steps in plan.steps:
                yield {"steps": steps, "dispatch": dispatch}, max(half * FIVE // steps, _FEWEST)
        elif axis == "payload":
            for size in plan.payloads:
                count = min(half, max(_BYTES_A_RUN // size, _FEWEST))
                yield {"bytes": size, "dispatch": dispatch}, count
        else:
            for processes in plan.workers:
                shape = {"processes": processes, "dispatch": dispatch}
                yield {**shape, "waits": False}, half
                yield {**shape, "waits": True}, max(half * min(processes, 4) // 4, _FEWEST)


def run(case: Case, place: Server, broker: Server) -> dict[str, Any]:
    """Run a case; return its labels, what each saga costs, and the bytes that it keeps."""
    shape, sagas = case
    names = {"steps": "BENCH_STEPS", "bytes": "BENCH_BYTES", "dispatch": "BENCH_DISPATCH"}
    environment = {names[name]: str(shape[name]) for name in names if name in shape}
    if shape.get("waits"):
        environment["BENCH_WAITS"] = "1"
    contender = Contender("growth", "growth", GROWTH_SAGA, environment=environment)
    processes = shape.get("processes", 2)
    with course(contender, place, broker=broker, warm=WARM, concurrency=processes) as warm:
        drained = warm.drain(range(WARM, WARM + sagas), many=True)
        kept = memory_of_sagas(place.url, (LOG,)) / (WARM + sagas)
    return {**shape, **costs(drained, sagas), "kept": kept}


def measure(axis: str, plan: Plan, say: Say) -> Rows:
    """Run each case of an axis once a round, in an order that is drawn."""
    rows: Rows = []
    cases = list(cases_of(axis, plan))
    with two_servers() as servers:
        for number in range(plan.rounds):
            for case in random.sample(cases, len(cases)):
                rows.append({"what": axis, "round": number, **run(case, *servers)})
            say(f"{axis}: round {number + 1} of {plan.rounds}")
    return rows


def table(rows: Rows) -> Table:
    """Return the costs of each case: median of the rounds, smallest and largest."""
    found = Table("ms a saga", "time", "processor", "of it the log's", "bytes kept")
    cases: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if "wall" in row:
            labels = {name: row[name] for name in _LABELS if name in row}
            told = ", ".join(f"{name} {each}" for name, each in labels.items())
            cases.setdefault(told, []).append(row)
    for told, mine in cases.items():
        cells = [
            spread([sum(row[part] for part in parts) * 1000 for row in mine], 1)
            for parts in (("wall",), ("cpu_log", "cpu_broker", "cpu_worker"), ("cpu_log",))
        ]
        kept = spread([row["kept"] for row in mine if "kept" in row], 0)
        found.add_row(told, *cells, kept)
    return found


def main() -> int:
    """Measure along each axis, print a table, and write the figures to ``RESULTS``."""
    plan, began = Plan.read(), time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)  # noqa: T201

    with two_servers() as servers:
        machine = describe_machine(servers[0].info("server")["redis_version"])
    rows: Rows = []
    for axis in plan.axes:
        say(axis)
        found = measure_others(plan, say) if axis == "others" else measure(axis, plan, say)
        rows += [{"axis": axis, **row} for row in found]
        head = {"machine": machine, "asked": asdict(plan), "seconds": time.monotonic() - began}
        if plan.results:
            write_rows(plan.results, head, rows)  # after each axis: a run is long
    Console(width=140).print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
