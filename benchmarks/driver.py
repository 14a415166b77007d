"""The process that starts a contender's sagas, one for each: ``python -m benchmarks.driver MODULE``.

It reads calls from standard input, a JSON list each, and answers each with a line of JSON.
"""

import contextlib
import importlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.contenders import Contender
from benchmarks.stamps import PLACE, StampFile

BATCH: Final = 500
"""Sagas of one `start_many`, unless the module says otherwise."""
PAUSES: Final = (0.005, 0.015)  # seconds, at least and at most, in which a worker becomes idle
PATIENCE: Final = 60.0


class Driver:
    """Starts sagas of one contender, in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def start(self, numbers: range) -> tuple[float, float]:
        """Start these one by one; return the seconds it took, and the processor time."""
        wall, cpu = self._call("start", numbers.start, numbers.stop)
        return wall, cpu

    def start_many(self, numbers: range) -> float | None:
        """Start these in batches; return the seconds it took, or None if the contender has no such call."""
        seconds: float | None = self._call("start_many", numbers.start, numbers.stop)
        return seconds

    def latencies(self, numbers: range, *, longest: float) -> list[float]:
        """Start one after the other, each on an idle worker; return the seconds from start to last step.

        longest: seconds after which no further one is started.
        """
        found: list[float] = self._call("latencies", numbers.start, numbers.stop, longest)
        return found

    def count_completed(self) -> int | None:
        """Return how many completed by the contender's own records, or None if it has none."""
        count: int | None = self._call("count_completed")
        return count

    def _call(self, name: str, *arguments: float) -> Any:
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None  # noqa: S101 - it is a pipe
        assert told is not None  # noqa: S101
        asked.write(json.dumps([name, *arguments]) + "\n")
        asked.flush()
        if not (answer := told.readline()):
            raise RuntimeError(f"the driver ended with {self._process.wait()} at {name}")
        return json.loads(answer)


@contextlib.contextmanager
def driver(
    contender: Contender, directory: Path, environment: Mapping[str, str]
) -> Iterator[Driver]:
    """Run a driver in this directory, with the contender's module imported."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*contender.python, "benchmarks.driver", contender.module],
        cwd=directory,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        running = Driver(process)
        running.start(range(0))
        yield running


def _start(module: Any, first: int, end: int) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(first, end):
        module.start(number)
    return time.perf_counter() - began, time.process_time() - cpu


def _start_many(module: Any, first: int, end: int) -> float | None:
    if not hasattr(module, "start_many"):
        return None
    began, many = time.perf_counter(), getattr(module, "BATCH", BATCH)
    for batch in range(first, end, many):
        module.start_many(range(batch, min(batch + many, end)))
    return time.perf_counter() - began


def _latencies(module: Any, first: int, end: int, longest: float) -> list[float]:
    stamps, start = StampFile(Path(os.environ[PLACE])), getattr(module, "start_here", module.start)
    seen, until = stamps.count(), time.monotonic() + longest
    began: dict[int, float] = {}
    for number in range(first, end):
        if time.monotonic() > until:
            break
        time.sleep(random.uniform(*PAUSES))  # noqa: S311
        began[number] = time.monotonic()
        start(number)
        stamps.wait_for(seen + len(began), timeout=PATIENCE, look=0.001)
    return [each.at - began[each.number] for each in stamps.read(seen)]


def _count_completed(module: Any) -> int | None:
    return module.count_completed() if hasattr(module, "count_completed") else None


_CALLS: Final[Mapping[str, Callable[..., Any]]] = {
    "start": _start,
    "start_many": _start_many,
    "latencies": _latencies,
    "count_completed": _count_completed,
}


def main(name: str) -> None:
    """Answer calls until standard input ends; whatever a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    module = importlib.import_module(name)
    for line in sys.stdin:
        call, *arguments = json.loads(line)
        answers.write(json.dumps(_CALLS[call](module, *arguments)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
