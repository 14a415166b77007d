"""Processes in one process: each with a pid, a thread and engine objects of its own.

A thread can be stopped at a boundary and go on later; a killed one gets no further. The engine keeps
its log by pid, so that a new process begins with a new one; the sockets to Redis, never struck in the
middle of a command, are shared.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from itertools import count
from types import SimpleNamespace
from typing import Any, Final

import pytest
from celery import Celery

import amends.log.saga_log
from amends.activities import attempt, log_retry, step_at_hand, task
from amends.activities.raised import ProcessEnd
from amends.log.owner import WorkerProcess
from amends.log.store import Store

PATIENCE: Final = 60.0
"""Seconds, after which a thread that neither ends nor stops is an error."""

_current: ContextVar["Process | None"] = ContextVar("_current", default=None)
_pids = count(1_000_000)  # nobody's


class Killed(ProcessEnd):
    """The end of a process, through everything."""


class Process:
    """One process: what it is, its pid, and whether it lives."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.pid = next(_pids)
        self.is_alive = True
        self.is_cut_off_from: type | None = None

    def kill(self) -> None:
        """Let it get no further: from now on every boundary is its end."""
        self.is_alive = False
        raise Killed

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be this process meanwhile."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


@contextmanager
def outside() -> Iterator[None]:
    """Be no process meanwhile, whoever asked for it."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Process | None:
    """Tell which process the calling code is in; None outside of all."""
    return _current.get()


class Strand(threading.Thread):
    """What a process does, up to its end, or until it is stopped in the middle."""

    def __init__(self, process: Process, work: Callable[[], Any]) -> None:
        super().__init__(name=process.role, daemon=True)
        self.process = process
        self._work = work
        self._rests = threading.Event()
        self._goes_on = threading.Event()
        self._error: BaseException | None = None

    @staticmethod
    def here() -> "Strand":
        """Return the strand of the calling code."""
        strand = threading.current_thread()
        assert isinstance(strand, Strand)
        return strand

    def run(self) -> None:
        try:
            with self.process.running():
                self._work()
        except Killed:
            self.process.is_alive = False
        except BaseException as error:  # noqa: BLE001 - it is raised where the strand was begun
            self._error = error
        self._rests.set()

    def begin(self) -> "Strand":
        """Let it run, and come back when it has ended or stopped."""
        self.start()
        return self._wait()

    def stop_here(self) -> None:
        """Stop; called in the thread itself."""
        self._goes_on.clear()
        self._rests.set()
        self._goes_on.wait()

    def go_on(self) -> None:
        """Let it go on from where it stopped to its end."""
        self._rests.clear()
        self._goes_on.set()
        self._wait()

    def _wait(self) -> "Strand":
        assert self._rests.wait(PATIENCE), f"the {self.process.role} hangs"
        if self._error is not None:
            raise self._error
        return self


class _Time:
    """The time that an attempt measures: it flies where the engine waits for the log."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def sleep(self, seconds: float) -> None:
        self._skipped += seconds

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def time(self) -> float:
        return time.time() + self._skipped


@contextmanager
def worlds_of_their_own(app: Celery, *, now: datetime) -> Iterator[None]:
    """Let the engine see the pid of the process that it runs in, and wait for nothing, and Celery's time stand still."""

    def getpid() -> int:
        process = current()
        return process.pid if process else os.getpid()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "now", lambda: now)
        for module in (amends.log.saga_log, step_at_hand):
            patch.setattr(module, "os", SimpleNamespace(getpid=getpid))
        flying = _Time()
        for module in (attempt, log_retry, task):
            patch.setattr(module, "time", flying)
        patch.setattr(
            Store, "_prepare", lambda *_: None
        )  # Redis has the scripts since the first one
        # A worker that ended in this process before is none of these.
        WorkerProcess.current.note_ending(ends=False)
        yield
    amends.log.saga_log._log.cache_clear()
