"""Sagas against the chains and libraries that one would use instead: ``make bench``.

All in one run, on one Redis, in rounds; the order of a round is drawn. A run of a contender: sagas are started with no
worker running, which gives starts per second; then, with a worker that is up and warm, one is started whenever the
worker is idle, which gives latencies, from the start to the last step's function; then the worker is held (SIGSTOP)
while sagas are queued, and released: throughput is their number over the time from the release to when the last of
them came to its last step, and none of the worker's processes is idle in between. Processor time is that of the
worker's processes and of Redis, from the release until the last message is acknowledged.
"""

import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.contenders import ROOT, Contender
from benchmarks.counting import count, measure_order
from benchmarks.course import course, directory_of, environment_of
from benchmarks.driver import driver
from benchmarks.plan import Plan
from benchmarks.results import Results, describe_machine, tables
from benchmarks.servers import Server, server

LONGEST_LATENCIES: Final = 20.0  # seconds


def main() -> int:
    """Measure, print tables, and write the figures to ``RESULTS``."""
    plan, console = Plan.read(), Console(width=170)
    left_out = {each.name: told for each in plan.contenders() if (told := each.missing())}
    taking_part = [each for each in plan.contenders() if each.name not in left_out]
    for name, told in left_out.items():
        console.print(f"{name} is left out: {told}")
    with tempfile.TemporaryDirectory() as directory, server(Path(directory)) as place:
        machine = describe_machine(place.info("server")["redis_version"])
        results = Results(
            machine=machine,
            asked=asdict(plan),
            # Not of another checkout: the scripts that its workers send without a saga are not known here.
            counts={
                each.name: count(place, each, plan) for each in taking_part if each.checkout == ROOT
            },
            order_bytes=measure_order(Path(directory) / "system") if plan.order else None,
            rounds={sync: _rounds(place, sync, taking_part, plan, console) for sync in plan.sync},
            titles={each.name: each.title for each in taking_part},
            left_out=left_out,
        )
    if plan.results:
        results.write(plan.results)
    for table in tables(results):
        console.print(table)
    return 0


def _rounds(
    place: Server, sync: str, contenders: Sequence[Contender], plan: Plan, console: Console
) -> Mapping[str, list[dict[str, Any]]]:
    """Run all of them in each round, in an order that is drawn."""
    place.client.config_set("appendfsync", sync)
    rounds: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in contenders}
    for number in range(1, plan.rounds + 1):
        for contender in random.sample(contenders, len(contenders)):
            figures = run(place, contender, plan)
            rounds[contender.name].append(figures)
            console.print(
                f"{sync} {number}/{plan.rounds} {contender.name}: {figures['throughput']:.1f} sagas/s,"
                f" {figures['starts']:.0f} starts/s, p50 {figures['p50'] * 1000:.1f} ms"
            )
    return rounds


def run(place: Server, contender: Contender, plan: Plan) -> dict[str, Any]:
    """Run a contender once. Rates are per second, times in seconds; processor time is a saga's, or a start's."""
    starts = _starts(place, contender, plan)
    how: Any = {"pool": plan.pool, "concurrency": plan.concurrency, "profile": plan.profile}
    with course(contender, place, warm=plan.warm, **how) as warm:
        numbers = range(plan.warm, plan.warm + plan.latencies)
        times = sorted(warm.driver.latencies(numbers, longest=LONGEST_LATENCIES))
        warm.settle()
        drained = warm.drain(range(numbers.stop, numbers.stop + plan.sagas))
        warm.check_completed(plan.warm + len(times) + plan.sagas)
    return {
        "throughput": plan.sagas / drained.seconds,
        **starts,
        "p50": times[len(times) // 2],
        "p99": times[len(times) * 99 // 100],
        "cpu": (drained.run.worker + drained.run.redis) / plan.sagas,
        "cpu_redis": drained.run.redis / plan.sagas,
    }


def _starts(place: Server, contender: Contender, plan: Plan) -> dict[str, Any]:
    """Measure starts, one by one and in batches, with no worker running."""
    place.clear()
    one_by_one = range(plan.warm, plan.warm + plan.sagas)
    in_batches = range(one_by_one.stop, one_by_one.stop + plan.sagas)
    environment = environment_of(contender, place)
    with driver(contender, directory_of(contender, place), environment) as starter:
        starter.start(range(plan.warm))
        seconds, cpu = starter.start(one_by_one)
        many = starter.start_many(in_batches)
    return {
        "starts": plan.sagas / seconds,
        "cpu_start": cpu / plan.sagas,
        "starts_many": many and plan.sagas / many,
    }


if __name__ == "__main__":
    sys.exit(main())
