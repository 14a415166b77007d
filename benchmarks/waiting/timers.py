"""Timers that are due in one second: how fast they reach the receiver, and how long the log answers others meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.course import PATIENCE
from benchmarks.growth.plan import Say
from benchmarks.stamps import StampFile
from benchmarks.waiting.stand import WARM, Stand, stand

_REST: Final = 3.0
"""Seconds before the timers are due in which the log is asked too, at rest."""
_MARGIN: Final = 1.5
"""How much longer than the waits of before these may take to begin."""
_PROBES: Final = 10_000_000
"""Number of the first saga that is started beside the timers."""


@dataclass(kw_only=True)
class Probe:
    """Asks the log again and again, in a thread, and notes when each answer came and how many seconds it took."""

    ask: Callable[[int], object]
    pause: float
    answers: list[tuple[float, float]] = field(default_factory=list)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask while the context is open."""
        ends = threading.Event()
        thread = threading.Thread(target=self._run, args=[ends], daemon=True)
        thread.start()
        try:
            yield
        finally:
            ends.set()
            thread.join()

    def _run(self, ends: threading.Event) -> None:
        while not ends.wait(self.pause):
            began = time.monotonic()
            self.ask(len(self.answers))
            now = time.monotonic()
            self.answers.append((now, now - began))

    def figures(self, name: str, first: float, last: float) -> dict[str, float]:
        """Return the median, the 99th of a hundred and the longest of the answers that came between two moments."""
        took = sorted(took for at, took in self.answers if first <= at <= last) or [0.0]
        parts = {"p50": 0.5, "p99": 0.99, "longest": 1.0}
        return {f"{name}_{part}": took[int((len(took) - 1) * of)] for part, of in parts.items()}


def measure_timers(
    *, sagas: int, spread: float, rate: float, processes: int, say: Say
) -> dict[str, Any]:
    """Let as many delays be due in one second, and return what comes of it.

    spread: `amends_timer_spread`, in seconds.
    rate: sagas a second that come to their wait.

    Raises ``RuntimeError`` if not all have come to their wait when they are due.
    """
    with stand("timed", processes=processes, spread=spread) as running:
        numbers = range(WARM, WARM + sagas)
        due = time.monotonic() + sagas / rate * _MARGIN + 2 * _REST
        at = time.time() + due - time.monotonic()
        (running.course.place.directory / "due").write_text(str(at), encoding="ascii")
        running.bring_to_wait(numbers, say)
        if time.monotonic() > due - _REST:
            raise RuntimeError(
                "the delays are due before all sagas have come to them: the machine has become slower"
            )
        return {"what": "timers", "spread": spread, **_watch(running, numbers, due, spread)}


def _watch(running: Stand, numbers: range, due: float, spread: float) -> dict[str, float]:
    """Wait until all were called, and ask the log meanwhile."""
    course = running.course
    seen, client, driver = course.stamps.count(), course.place.client, course.driver
    ping = Probe(ask=lambda _: client.ping(), pause=0.02)
    start = Probe(ask=lambda n: driver.start(range(_PROBES + n, _PROBES + n + 1)), pause=0.2)
    time.sleep(max(0.0, due - _REST - time.monotonic()))
    rest = time.monotonic()
    with ExitStack() as stack:
        for probe in (ping, start):
            stack.enter_context(probe.asking())
        time.sleep(max(0.0, due - time.monotonic()))
        _await_calls(course.stamps, seen, len(numbers), patience=spread + PATIENCE)
    if not running.calls(seen, numbers)["missing"]:
        course.settle()
    at = [each.at for each in course.stamps.read(seen) if each.number < _PROBES]
    return {
        "first": min(at) - due,
        "seconds": max(at) - due,
        "peak": _busiest(at, 1.0),
        "busy": _busiest(at, 10.0) / 10.0,
        **ping.figures("ping_before", rest, due),
        **ping.figures("ping", due, max(at)),
        **start.figures("start_before", rest, due),
        **start.figures("start", due, max(at)),
        **running.calls(seen, numbers),
    }


def _busiest(at: Sequence[float], seconds: float) -> int:
    """Return how many calls came within so many seconds at most."""
    at, first, most = sorted(at), 0, 0
    for last, each in enumerate(at):
        while each - at[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def _await_calls(stamps: StampFile, seen: int, count: int, *, patience: float) -> None:
    """Wait until so many timers were called, or none was for so many seconds."""
    calls, until = 0, time.monotonic() + patience
    while calls < count and time.monotonic() < until:
        time.sleep(0.5)
        new = stamps.read(seen)
        seen += len(new)
        if some := sum(each.number < _PROBES for each in new):
            calls, until = calls + some, time.monotonic() + patience
