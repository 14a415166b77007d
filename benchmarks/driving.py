"""Who starts sagas: a process of its own for each contender, because each has an app that is the current one."""

import contextlib
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks.contenders import Contender, load
from benchmarks.stamps import StampFile

BATCH: Final = 500
"""So many sagas are given to one `start_many`."""
PAUSES: Final = (0.005, 0.015)  # seconds, at least and at most, in which a worker becomes idle
PATIENCE: Final = 60.0


class Driver:
    """Starts sagas of one contender, from another process."""

    def __init__(self, pool: ProcessPoolExecutor, contender: Contender) -> None:
        self._pool = pool
        self._contender = contender

    def start(self, numbers: range) -> tuple[float, float]:
        """Start these one by one; return the seconds it took, and those of this process's processor time."""
        return self._pool.submit(_start, self._contender, numbers).result()

    def start_many(self, numbers: range) -> float | None:
        """Start these in batches; return the seconds it took, None where the contender has no such thing."""
        return self._pool.submit(_start_many, self._contender, numbers).result()

    def latencies(self, numbers: range, stamps: Path, *, longest: float) -> list[float]:
        """Start one after the other, each on an idle worker; return the seconds from start to last step.

        Begins no further one once `longest` seconds are over.
        """
        job = self._pool.submit(_latencies, self._contender, numbers, stamps, longest)
        return job.result()

    def check_completed(self, count: int) -> None:
        """Hold the contender's own records to so many completed sagas, once they are written.

        Raises ``TimeoutError``.
        """
        self._pool.submit(_check_completed, self._contender, count).result()


@contextlib.contextmanager
def driver(contender: Contender, environment: Mapping[str, str]) -> Iterator[Driver]:
    """Run a driver, warm: its module is imported, and it has started nothing."""
    spawn = multiprocessing.get_context("spawn")
    settings = dict(environment)
    with ProcessPoolExecutor(1, spawn, initializer=_prepare, initargs=(settings,)) as pool:
        pool.submit(_start, contender, range(0)).result()
        yield Driver(pool, contender)


def _prepare(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    """End where the parent was killed: a process of a pool waits for its next job for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _start(contender: Contender, numbers: range) -> tuple[float, float]:
    start = load(contender).start
    began, cpu = time.perf_counter(), time.process_time()
    for number in numbers:
        start(number)
    return time.perf_counter() - began, time.process_time() - cpu


def _start_many(contender: Contender, numbers: range) -> float | None:
    start_many = getattr(load(contender), "start_many", None)
    if start_many is None:
        return None
    began = time.perf_counter()
    for batch in _batches(numbers):
        start_many(batch)
    return time.perf_counter() - began


def _batches(numbers: range) -> Iterator[Sequence[int]]:
    for first in range(0, len(numbers), BATCH):
        yield numbers[first : first + BATCH]


def _latencies(contender: Contender, numbers: range, path: Path, longest: float) -> list[float]:
    module, stamps = load(contender), StampFile(path)
    start = getattr(module, "start_here", module.start)
    seen, until = stamps.count(), time.monotonic() + longest
    began: dict[int, float] = {}
    for number in numbers:
        if time.monotonic() > until:
            break
        time.sleep(random.uniform(*PAUSES))  # noqa: S311
        began[number] = time.monotonic()
        start(number)
        stamps.wait_for(seen + len(began), timeout=PATIENCE, look=0.001)
    return [each.at - began[each.number] for each in stamps.read(seen)]


def _check_completed(contender: Contender, count: int) -> None:
    count_completed = getattr(load(contender), "count_completed", None)
    until = time.monotonic() + PATIENCE
    while count_completed and (found := count_completed()) != count:
        if time.monotonic() > until:
            raise TimeoutError(f"{contender.name}: {found} of {count} sagas completed")
        time.sleep(0.2)
