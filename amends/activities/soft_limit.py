"""The soft time limit of each step that runs under one message: Celery's are one a message."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from math import inf

from billiard.pool import SIG_SOFT_TIMEOUT, soft_timeout_sighandler
from celery.exceptions import SoftTimeLimitExceeded


@contextmanager
def soft_limit(seconds: float) -> Iterator[None]:
    """Raise ``SoftTimeLimitExceeded`` inside after so many seconds, where Celery could: under prefork."""
    is_main = threading.current_thread() is threading.main_thread()
    alarm = alarm_of(os.getpid()) if is_main else None
    if alarm is None:
        yield
        return
    alarm.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _clear(alarm)


def timed_out(limit: float, *, took: float) -> TimeoutError:
    """Return the error that stands for a time limit: it is the same in every kind of pool."""
    late = f", given up after {took:.0f} s" if took >= limit + 1 else ""
    return TimeoutError(f"no answer after {limit:g} s{late}")


def has_handler() -> bool:
    """Tell whether this process has the pool's handler of the signal: any other one may end it."""
    return (
        SIG_SOFT_TIMEOUT is not None
        and signal.getsignal(SIG_SOFT_TIMEOUT) is soft_timeout_sighandler
    )


def _clear(alarm: "_Alarm") -> None:
    try:
        alarm.clear()
    except SoftTimeLimitExceeded:  # it went off meanwhile, and the call is over
        _clear(alarm)


class _Alarm:
    """A thread that sends the pool's signal to the main thread; one that is put later costs it no waking."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._at: float | None = None
        self._wakes_at = inf
        threading.Thread(target=self._run, name="amends-limits", daemon=True).start()

    def set(self, at: float) -> None:
        """Go off at this time, as of ``time.monotonic()``."""
        with self._changed:
            self._at = at
            if at < self._wakes_at:
                self._changed.notify()

    def clear(self) -> None:
        """Do not go off any more."""
        with self._changed:
            self._at = None

    def _run(self) -> None:
        main = threading.main_thread().ident
        with self._changed:
            while True:
                now = time.monotonic()
                if self._at is not None and now >= self._at and main is not None:
                    self._at = None
                    if has_handler():
                        signal.pthread_kill(main, SIG_SOFT_TIMEOUT)
                self._wakes_at = inf if self._at is None else self._at
                self._changed.wait(None if self._at is None else self._at - now)


@cache
def alarm_of(pid: int) -> _Alarm | None:  # noqa: ARG001 - a forked child gets its own
    """Return the alarm of a pool's process, None in any other: a look at the handler costs more than a limit."""
    return _Alarm() if has_handler() else None
