"""The longest time that an event loop stands still while Redis, and then the broker, is frozen: ``python -m tests.support.loop_stalls``.

A loop like that of a web server starts sagas, follows them, and acts on them, many at a time, and a ticker in it measures the
gaps between its turns: first while both are there, then while Redis is stopped by SIGSTOP, then while the broker is.
"""

import asyncio
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from celery import Celery
from rich.console import Console

from amends import Handle, SagaError
from demo.programs import Program, running
from demo.servers import RedisServer
from tests.support.engine_saga import Job, job_saga

TICK: Final = 0.005
BOUND: Final = 0.050
CALLERS: Final = 40


@dataclass
class Gaps:
    """What a ticker saw in one phase: the longest gaps between its turns, beyond the tick, and how calls ended."""

    phase: str
    gaps: list[float] = field(default_factory=list)
    own: list[float] = field(
        default_factory=list
    )  #: The same, without the loop's waits for a processor.
    ended: Counter[str] = field(default_factory=Counter)

    @property
    def longest(self) -> float:
        """The longest gap, in seconds."""
        return max(self.gaps)


async def tick(found: Gaps) -> None:
    """Note the gaps between the loop's turns, for ever."""
    while True:
        began, waited = time.monotonic(), _waited()
        await asyncio.sleep(TICK)
        gap = time.monotonic() - began - TICK
        found.gaps.append(gap)
        found.own.append(gap - (_waited() - waited))


async def measure(phase: str, seconds: float, run_id: str, *, callers: int = CALLERS) -> Gaps:
    """Call everything there is, from many coroutines, for so many seconds, and measure the loop's gaps meanwhile."""
    found, ends_at = Gaps(phase), time.monotonic() + seconds

    async def attempt(name: str, call: Awaitable[object]) -> None:
        try:
            await call
        except (SagaError, TimeoutError) as error:
            found.ended[f"{name}: {type(error).__name__}"] += 1
        else:
            found.ended[name] += 1

    async def call_all(caller: int) -> None:
        turn = 0
        while time.monotonic() < ends_at:
            turn += 1
            saga_id = f"{run_id}-{caller}-{turn}"
            handle = Handle(saga_id, dict)
            start = job_saga.start_async(Job(job_id=saga_id), saga_id=saga_id)
            await attempt("start_async", asyncio.wait_for(start, 2.0))
            await attempt("status_async", handle.status_async())
            await attempt("wait_async", handle.wait_async(0.5, until="a"))
            await attempt("cancel_async", asyncio.wait_for(handle.cancel_async(), 2.0))

    ticker = asyncio.create_task(tick(found))
    await asyncio.gather(*(call_all(each) for each in range(callers)))
    await asyncio.sleep(ends_at - time.monotonic())
    ticker.cancel()
    return found


def _waited() -> float:
    """Return for how many seconds this thread was ready to run and had no processor, as Linux counts it; else 0."""
    try:
        told = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text("ascii")
    except OSError:
        return 0.0
    return int(told.split()[1]) / 1e9


@contextmanager
def frozen(server: Program) -> Iterator[None]:
    """Stop a server by SIGSTOP meanwhile."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


def run(directory: Path, seconds: float) -> list[Gaps]:
    """Measure each phase for so many seconds, and return what was found."""
    log = RedisServer("log", directory=directory)
    broker = RedisServer("broker", directory=directory)
    with running(log, broker):
        app = Celery("loop_stalls", broker=f"{broker.url}/0")
        app.conf.amends_backend = f"{log.url}/0"
        app.set_current()
        app.set_default()
        app.finalize()
        return asyncio.run(_phases(log, broker, seconds))


async def _phases(log: Program, broker: Program, seconds: float) -> list[Gaps]:
    await measure("at first", 1.0, "first")  # what is made and imported once
    found = [
        await measure("nothing is called", seconds, "none", callers=0),
        await measure("both are there", seconds, "there"),
    ]
    for server, phase in ((log, "the log's Redis is frozen"), (broker, "the broker is frozen")):
        with frozen(server):
            found.append(await measure(phase, seconds, f"no-{server.name}"))
        await measure("between", 1.0, f"after-{server.name}")
    return found


def report(phases: Sequence[Gaps]) -> int:
    """Print what was found, and return the exit code: 0 if no gap was longer than the bound."""
    console = Console(highlight=False, soft_wrap=True)
    for phase in phases:
        count = len(phase.gaps)
        own = max(phase.own) * 1000
        console.print(
            f"{phase.phase}: longest gap {phase.longest * 1000:.1f} ms of {count} turns; without waits for a processor {own:.1f} ms"
        )
        for what, times in sorted(phase.ended.items()):
            console.print(f"    {what}: {times}")
    return 0 if all(phase.longest <= BOUND for phase in phases) else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(report(run(Path(folder), float(sys.argv[1]) if sys.argv[1:] else 10.0)))
