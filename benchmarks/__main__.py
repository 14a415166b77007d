"""Sagas against the chains and libraries that one would use instead: ``make bench``.

All in one run, on one Redis, in rounds; who comes first in a round is drawn. A run of a contender: sagas are started
with no worker running, which gives starts per second; then, with a worker that is up and has done some sagas, one is
started whenever the worker is idle, which gives latencies, from the start to the last step's function; then the worker
is held (SIGSTOP) while sagas are queued, and released: throughput is their number over the time from the release to
when the last of them came to its last step, and none of the worker's processes is idle in between. Processor time is
that of the worker's processes and of Redis, from the release until the last message is acknowledged.
"""

import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.contenders import Contender
from benchmarks.counting import count
from benchmarks.order_bytes import measure_order
from benchmarks.plan import Plan
from benchmarks.plots import draw
from benchmarks.processes import Bed, bed
from benchmarks.readme import renew
from benchmarks.results import Results, describe_machine
from benchmarks.running import Figures, run
from benchmarks.tables import tables
from demo.programs import ROOT


def main() -> int:
    """Measure, print tables, and write the figures where ``RESULTS`` says."""
    plan, console = Plan.read(), Console(width=170)
    left_out = {each.name: told for each in plan.contenders() if (told := each.missing())}
    taking_part = [each for each in plan.contenders() if each.name not in left_out]
    for name, told in left_out.items():
        console.print(f"{name} is left out: {told}")
    with tempfile.TemporaryDirectory() as directory, bed(Path(directory)) as place:
        info: Any = place.client.info("server")
        machine = describe_machine(info["redis_version"])
        counts = {each.name: count(place, each, plan) for each in taking_part}
        of_an_order = measure_order(Path(directory) / "system") if plan.order else None
        rounds = {sync: _rounds(place, sync, taking_part, plan, console) for sync in plan.syncs}
    results = Results(
        machine=machine,
        asked={k: str(v) if isinstance(v, Path) else v for k, v in asdict(plan).items()},
        rounds=rounds,
        titles={each.name: each.title for each in taking_part},
        counts=counts,
        order_bytes=of_an_order,
        left_out=left_out,
    )
    if plan.results:
        results.write(plan.results)
    if plan.publish:
        publish(results)
    for table in tables(results):
        console.print(table)
    return 0


def publish(results: Results) -> None:
    """Renew what docs/performance.md shows."""
    results.write(ROOT / "benchmarks/results/sagas.json")
    draw(results, ROOT / "docs/bench-sagas.svg")
    renew(ROOT / "docs/performance.md", results)


def _rounds(
    place: Bed, sync: str, contenders: Sequence[Contender], plan: Plan, console: Console
) -> Mapping[str, list[Figures]]:
    """Run all of them in each round, in an order that is drawn."""
    place.sync(sync)
    rounds: dict[str, list[Figures]] = defaultdict(list)
    for number in range(1, plan.rounds + 1):
        for contender in random.sample(contenders, len(contenders)):
            began = time.monotonic()
            figures = run(place, contender, plan)
            rounds[contender.name].append(figures)
            console.print(
                f"{sync} {number}/{plan.rounds} {contender.name}: {figures.throughput:.1f} sagas/s,"
                f" {figures.starts:.0f} starts/s, p50 {figures.p50 * 1000:.1f} ms"
                f" ({time.monotonic() - began:.0f} s)"
            )
    return {contender.name: rounds[contender.name] for contender in contenders}


if __name__ == "__main__":
    sys.exit(main())
