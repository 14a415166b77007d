"""Each way of ending, at each record, by each dispatch, in one worker; and what its sagas say afterwards."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.endings.ways import WAYS
from tests.support.eventually import eventually

SLOTS: Final = {"prefork": 4, "threads": 4, "solo": 1, "gevent": 16}
POOLS: Final = tuple(SLOTS)

RECORDS: Final = {"act": "act", "fallback": "be_away:fallback", "undo": "act:undo"}
"""Path of the record whose call ends so, by where the input says it is to."""

STATUS: Final = {"act": "compensated", "fallback": "compensated", "undo": "stuck"}


@dataclass(frozen=True)
class Ending:
    """One way at one record of a saga, and what is wrong with how it was told: '' if nothing is."""

    way: str
    at: str
    dispatch: str
    wrong: str = ""


@contextmanager
def worker(pool: str, log: Path, *, slots: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker with this pool. Raises `AssertionError` if it does not end when it is told to."""
    command = [sys.executable, "-m", "celery", "-A", "tests.endings.app", "worker"]
    options = ["--pool", pool, "--concurrency", str(slots), "--without-mingle", "--without-gossip"]
    options += ["--prefetch-multiplier", "1"]  # a slot that is lost is one less at once
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *options, "--loglevel", "INFO", "--task-events"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=output,
            stderr=output,
        )
        try:
            yield process
            process.terminate()
            assert process.wait(60) == 0, f"it was told to end, see {log}"
        finally:
            process.kill()
            process.wait()


def run(pool: str, directory: Path, *, ways: Sequence[str] = tuple(WAYS)) -> list[Ending]:
    """End calls in these ways in a worker with this pool. Returns each ending.

    Raises `AssertionError` if the worker does not live and consume with all its slots afterwards.
    """
    from tests.endings import app  # noqa: PLC0415 - it reads the environment as it is imported

    app.app.set_current()
    app.app.set_default()
    slots = SLOTS[pool]
    log = directory / f"{pool}.log"
    with worker(pool, log, slots=slots) as process:
        wanted = [Ending(way, at, by) for way in ways for at in RECORDS for by in app.SAGAS]
        started = [_start(app, pool, ending) for ending in wanted]
        alone = {
            way: app.act.delay(app.Ask(way=way, at="act")).id for way in ways if WAYS[way].alone
        }
        over = ("completed", "compensated", "stuck")

        def is_over(handle: Any) -> bool:
            assert process.poll() is None, f"the worker has ended, see {log}"
            return handle.status in over

        for handle in started:
            eventually(partial(is_over, handle), timeout=180)
        told = [
            Ending(each.way, each.at, each.dispatch, "; ".join(_faults(app, pool, each, handle)))
            for each, handle in zip(wanted, started, strict=True)
        ]
        for way, task_id in alone.items():
            told.append(Ending(way, "alone", "", _fault_of_call(app, way, task_id)))
        app.notes.delete(app.MET)
        crowd = [app.meeting.start(app.Ask(way=str(slots), at="")) for _ in range(slots)]
        for handle in crowd:
            assert handle.wait(timeout=120).outcome == "completed", log
        assert process.poll() is None, log
    assert "Unrecoverable error" not in log.read_text(errors="replace"), log
    return told


def _start(app: Any, pool: str, ending: Ending) -> Any:
    saga_id = f"{pool}-{list(WAYS).index(ending.way)}-{ending.at}-{ending.dispatch}"
    ask = app.Ask(way=ending.way, at=ending.at)
    return app.SAGAS[ending.dispatch].start(ask, saga_id=saga_id)


def _faults(app: Any, pool: str, ending: Ending, handle: Any) -> Iterator[str]:
    """Say what is wrong with a saga's end, counts and history."""
    path, way = RECORDS[ending.at], WAYS[ending.way]
    error, cost = way.error_at(path), way.attempts
    if ending.way == "is killed as a greenlet" and pool == "gevent":
        error = "WorkerLostError"  # there it is a death
    if handle.status != STATUS[ending.at]:
        yield f"it is {handle.status}"
    calls = int(app.notes.hget(app.CALLS, f"{handle.id}:{ending.at}") or 0)
    if calls != cost:
        yield f"{calls} calls, not {cost}"
    step = handle.snapshot().steps[path.partition(":")[0]]
    channel = step.channels["fallback" if ending.at == "fallback" else "primary"]
    counted = channel.undo_attempts if ending.at == "undo" else channel.attempts
    if counted != cost:
        yield f"{counted} attempts counted, not {cost}"
    events = [event for event in handle.history() if event.record == path]
    told = [event.details["error"]["type"] for event in events if "error" in event.details]
    if told != [error] * cost:
        yield f"told as {told}, not {error}"


def _fault_of_call(app: Any, way: str, task_id: str) -> str:
    def count() -> int:
        return int(app.notes.hget(app.CALLS, f"{task_id}:act") or 0)

    wanted = WAYS[way].attempts
    try:
        eventually(lambda: count() >= wanted, timeout=30)
    except AssertionError:
        return f"{count()} calls, not {wanted}"
    return "" if count() == wanted else f"{count()} calls, not {wanted}"
