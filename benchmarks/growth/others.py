"""The first axis: what a saga costs with others in the log, against none, in turn."""

import contextlib
import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.contenders import GROWTH_SAGA, Contender
from benchmarks.course import Course, Drain, course
from benchmarks.growth.crowd import ENDED, LIVE
from benchmarks.growth.plan import Plan, Rows, Say
from benchmarks.growth.upkeep import fill, load_file, remove_some, sweep_all
from benchmarks.servers import Server, server

WARM: Final = 10
_IDLE: Final = 10.0  # seconds


@dataclass(kw_only=True)
class Stand:
    """A worker with a log and a broker of its own; so many `others` are alive in the log."""

    course: Course
    others: int = 0
    started: int = WARM

    def run(self, sagas: int) -> Drain:
        """Run so many sagas beside the others."""
        numbers = range(self.started, self.started + sagas)
        self.started = numbers.stop
        return self.course.drain(numbers, many=True, others=self.others)


def measure_others(plan: Plan, say: Say) -> Rows:
    """Fill a log step by step, with live sagas and then with ended ones, and compare it with an empty one."""
    rows: Rows = []
    for kind in (LIVE, ENDED):
        with _stand("without") as empty, _stand("with") as full:
            stands = {"without": empty, "with": full}
            _run_in_turn(stands, plan.sagas)  # so that all of it is warm
            for before, size in zip((0, *plan.others), plan.others, strict=False):
                found = [fill(full.course, kind, range(before, size))]
                say(f"{size:,} {kind}, in {found[0]['seconds']:.0f} s")
                if kind == LIVE:
                    full.others = size
                    found += sweep_all(full.course)
                found += _measure(plan, stands)
                if size == max(plan.others):
                    found.append(load_file(full.course.place))
                    found += remove_some(full.course) if kind == ENDED else []
                rows += [{"kind": kind, "size": size, **row} for row in found]
    return rows


@contextlib.contextmanager
def _stand(name: str) -> Iterator[Stand]:
    with two_servers() as (place, broker):
        contender = Contender(name, name, GROWTH_SAGA)
        with course(contender, place, broker=broker, warm=WARM) as warm:
            yield Stand(course=warm)


@contextlib.contextmanager
def two_servers() -> Iterator[list[Server]]:
    """Run a Redis for the log and one for the broker."""
    with contextlib.ExitStack() as stack:
        directories = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(2)]
        yield [stack.enter_context(server(Path(directory))) for directory in directories]


def _measure(plan: Plan, stands: Mapping[str, Stand]) -> Rows:
    rows: Rows = []
    for number in range(plan.rounds):
        for on, drained in _run_in_turn(stands, plan.sagas).items():
            labels = {"round": number, "on": on}
            scripts = (drained.run.scripts + drained.start.scripts) / plan.sagas
            rows.append({"what": "others", **labels, **costs(drained, plan.sagas)})
            rows.append({"what": "scripts", **labels, "costs": {"all": scripts}})
    return [*rows, *_idle(stands)]


def costs(drained: Drain, sagas: int) -> dict[str, float]:
    """Return what each saga cost, in seconds: time, and processor time of its start and its run."""
    run, start = drained.run, drained.start
    return {
        "sagas": sagas,
        "wall": drained.seconds / sagas,
        "cpu_log": (run.log + start.log) / sagas,
        "cpu_broker": (run.broker + start.broker) / sagas,
        "cpu_worker": run.worker / sagas,
    }


def _idle(stands: Mapping[str, Stand]) -> Rows:
    """Let both be, and return what share of a processor that takes."""
    before = {on: stand.course.usage() for on, stand in stands.items()}
    time.sleep(_IDLE)
    used = {on: stand.course.usage() - before[on] for on, stand in stands.items()}
    return [
        {"what": "idle", "on": on, "log": each.log / _IDLE, "worker": each.worker / _IDLE}
        for on, each in used.items()
    ]


def _run_in_turn(stands: Mapping[str, Stand], sagas: int) -> dict[str, Drain]:
    return {on: stands[on].run(sagas) for on in random.sample(list(stands), len(stands))}
