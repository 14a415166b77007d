"""What waiting sagas cost while nothing happens to them, beside a log that has none."""

import json
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from amends.worker.sweep import BATCH, Sweep
from benchmarks.contenders import ROOT
from benchmarks.course import PATIENCE, environment_of
from benchmarks.growth.plan import Rows, Say
from benchmarks.waiting.saga import WAIT, id_of, input_bytes
from benchmarks.waiting.stand import WARM, Stand, stand

_SWEEPS: Final = 50
"""Sweeps of a round."""
_OTHERS: Final = 320
"""Sagas that wait in both logs: one that has never had any is swept faster than any that is used."""
_VALUE: Final = '{"granted_by": "ada"}'

Stands = Mapping[str, Stand]


def measure_standing(
    *, sagas: int, rounds: int, idle: float, processes: int, say: Say
) -> Iterator[Rows]:
    """Let sagas wait in one of two logs, compare the two, and give all of them their signal; yield what was found after each.

    idle: seconds of a round in which the workers are left alone.
    processes: of each worker.
    """
    others = range(WARM, WARM + _OTHERS)
    numbers = range(others.stop, others.stop + sagas)
    with stand("asked", processes=processes) as empty, stand("asked", processes=processes) as full:
        stands = {"without": empty, "with": full}
        for each in stands.values():
            each.bring_to_wait(others, say)
        yield [_fill(full, numbers, say)]
        yield _by_round(rounds, lambda: _idle(stands, idle))
        say("workers were left alone")
        for each in stands.values():
            each.course.hold()
        yield _by_round(rounds, lambda: _sweeps(stands))
        for each in stands.values():
            each.course.worker.thaw()
        say("sweeps were measured")
        yield [_signal(full, numbers)]
        say("all have their signal, and went on")


def _by_round(rounds: int, measure: Callable[[], Rows]) -> Rows:
    return [{"round": number, **row} for number in range(rounds) for row in measure()]


def _fill(full: Stand, numbers: range, say: Say) -> dict[str, float]:
    """Let sagas come to their wait, and return what is held by them then."""
    memory = _memory(full)
    seconds = full.bring_to_wait(numbers, say)
    _await_acknowledged(full)
    each = (_memory(full) - memory - input_bytes(numbers)) / len(numbers)
    held = {"messages": full.messages(), "in_hand": full.in_hand()}
    return {"what": "held", "seconds": seconds, "bytes_each": each, **held}  # type: ignore[dict-item]


def _await_acknowledged(full: Stand) -> None:
    """Wait until the messages that brought the last of them there are acknowledged."""
    until = time.monotonic() + PATIENCE
    while full.messages() and time.monotonic() < until:
        time.sleep(0.1)


def _memory(full: Stand) -> int:
    """Return the memory in use; the smallest of a few looks, for buffers come and go."""
    looks = []
    for _ in range(5):
        looks.append(int(full.course.place.info("memory")["used_memory"]))
        time.sleep(0.1)
    return min(looks)


def _idle(stands: Stands, seconds: float) -> Rows:
    """Leave both workers alone at once, and return the share of a processor that each takes, and its log."""
    before = {on: each.course.usage() for on, each in stands.items()}
    time.sleep(seconds)
    used = {on: each.course.usage() - before[on] for on, each in stands.items()}
    return [
        {"what": "idle", "on": on, "worker": each.worker / seconds, "log": each.log / seconds}
        for on, each in used.items()
    ]


def _sweeps(stands: Stands) -> Rows:
    """Sweep both logs in turn, while no worker does; return the seconds of scripts that a sweep takes, and of a processor, its own and the log's."""
    apps = {on: each.app for on, each in stands.items()}
    sweeps = {on: Sweep(app, may_judge=lambda: True) for on, app in apps.items()}
    for sweep in sweeps.values():
        while sweep.run_once() >= BATCH:
            pass  # what the first one has to ask once, and what is due for a first look
    before = {on: each.course.usage() for on, each in stands.items()}
    own = dict.fromkeys(sweeps, 0.0)
    for _ in range(_SWEEPS):
        for on in random.sample(list(sweeps), len(sweeps)):
            began = time.process_time()
            sweeps[on].run_once()
            own[on] += time.process_time() - began
    used = {on: each.course.usage() - before[on] for on, each in stands.items()}
    return [
        {
            "what": "sweep",
            "on": on,
            "scripts": each.scripts / _SWEEPS,
            "processor": (each.log + own[on]) / _SWEEPS,
        }
        for on, each in used.items()
    ]


def _signal(full: Stand, numbers: range) -> dict[str, object]:
    """Give all their signal by the command line, with ids on standard input; return what they were told, and their calls."""
    course, seen = full.course, full.course.stamps.count()
    environment = environment_of(course.contender, course.place, broker=course.broker)
    celery = [*course.contender.python, "celery", "--workdir", str(ROOT)]
    words = ["-A", course.contender.module, "saga", "signal", "-", WAIT, "--data", _VALUE]
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own command
        [*celery, *words, "--by", "ada", "--json"],
        cwd=ROOT,
        env={**os.environ, **environment},
        input="\n".join(map(id_of, numbers)),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    signalling = time.monotonic() - began
    told = Counter(each["signal"] for each in json.loads(done.stdout)["results"])
    course.stamps.wait_for(seen + len(numbers), timeout=PATIENCE)
    course.settle(others=_OTHERS)
    last = max(each.at for each in course.stamps.read(seen))
    return {
        "what": "signalled",
        "exit_code": done.returncode,
        "told": dict(told),
        "signalling": signalling,
        "seconds": last - began,
        **full.calls(seen, numbers),
    }
