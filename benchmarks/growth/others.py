"""The first axis: what a saga costs with others in the log, against none, in turn."""

import contextlib
import os
import random
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from amends.worker.heartbeat import Heartbeat
from benchmarks.growth import upkeep
from benchmarks.growth.crowd import KINDS, Crowd
from benchmarks.growth.plan import Plan, Rows, Say
from benchmarks.growth.sagas import FIVE, ORDER_BYTES, saga_of
from benchmarks.growth.scripts import script_costs
from benchmarks.growth.stand import Stand, stand
from benchmarks.processes import Bed, bed

WITHOUT: Final = "without"
WITH: Final = "with"
_PROCESSES: Final = 2
_SCRIPT_ROUNDS: Final = 3  # for each round of whole sagas, which take longer
_SCRIPT_SAGAS: Final = 100
_IDLE: Final = 10.0  # seconds

Stands = Mapping[str, Stand]


def measure_others(plan: Plan, broker: Bed, say: Say) -> Rows:
    """Fill a log step by step, with live sagas and then with ended ones, and compare it with an empty one."""
    rows: Rows = []
    for kind in KINDS:
        with _stands(broker) as stands:
            _run_in_turn(stands, plan.sagas)  # so that all of it is warm
            crowd = Crowd(stands[WITH].log, kind)
            for size in plan.others:
                labels = {"kind": kind, "size": size}
                filled = upkeep.fill(stands[WITH], crowd, size)
                say(f"{size:,} {kind}, in {filled['seconds']:.0f} s")
                found = [filled, *_measure(plan, stands)]
                if size == max(plan.others):
                    found += upkeep.measure_upkeep(stands[WITH], crowd)
                rows += [{**labels, **row} for row in found]
    return rows


@contextlib.contextmanager
def _stands(broker: Bed) -> Iterator[Stands]:
    """Run an empty log and one to be filled, with a worker each; this process beats for what runs there."""
    with contextlib.ExitStack() as stack:
        stands = {}
        for database, name in enumerate((WITHOUT, WITH)):
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            place = stack.enter_context(bed(directory))
            stands[name] = stack.enter_context(
                stand(place, broker, database=database, processes=_PROCESSES)
            )
        beat = Heartbeat(stands[WITH].log, lambda: [os.getpid()])
        beat.start()
        stack.callback(beat.stop)
        yield stands


def _measure(plan: Plan, stands: Stands) -> Rows:
    rows: Rows = []
    for number in range(plan.rounds):
        for on, cost in _run_in_turn(stands, plan.sagas).items():
            rows.append({"what": "others", "round": number, "on": on, **cost})
    return [*rows, *_scripts(plan, stands), *_idle(stands)]


def _scripts(plan: Plan, stands: Stands) -> Rows:
    """Run the scripts while no worker sweeps."""
    for one in stands.values():
        one.worker.hold()
    rows: Rows = []
    for number in range(plan.rounds * _SCRIPT_ROUNDS):
        ids = [f"script-{secrets.token_hex(8)}" for _ in range(_SCRIPT_SAGAS)]
        for on in _drawn(stands):
            costs = script_costs(stands[on].log_client, ids)
            rows.append({"what": "scripts", "round": number, "on": on, "costs": costs})
    for one in stands.values():
        one.worker.release()
    return rows


def _idle(stands: Stands) -> Rows:
    """Let both be, and tell what share of a processor that takes."""
    before = {on: one.look() for on, one in stands.items()}
    time.sleep(_IDLE)
    rows: Rows = []
    for on, one in stands.items():
        then, now = before[on], one.look()
        log, worker = now.cpu_log - then.cpu_log, now.cpu_worker - then.cpu_worker
        rows.append({"what": "idle", "on": on, "log": log / _IDLE, "worker": worker / _IDLE})
    return rows


def _run_in_turn(stands: Stands, sagas: int) -> dict[str, dict[str, float]]:
    saga = saga_of(FIVE)
    return {on: asdict(stands[on].run(saga, sagas, ORDER_BYTES)) for on in _drawn(stands)}


def _drawn(stands: Stands) -> list[str]:
    return random.sample(list(stands), len(stands))
