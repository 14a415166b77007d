"""Runs the coroutine of an ``async def`` activity to its end, in an event loop that its thread keeps.

The loop is kept across attempts, so that a client of HTTP or a pool of database connections goes on working that was made in
it. It runs in the thread of the task: what Celery, loggers and tracers keep for a thread is there.
"""

import asyncio
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any, Final

from billiard.pool import SIG_SOFT_TIMEOUT, soft_timeout_sighandler
from celery.app import app_or_default
from celery.exceptions import SoftTimeLimitExceeded
from kombu.utils.compat import detect_environment

from amends.activities.protocol import Definition
from amends.activities.soft_limit import has_handler
from amends.backend.celery_apps import current
from amends.errors import ConfigurationError


def call(function: Callable[..., Any], arguments: Sequence[Any], *, limit: float | None) -> Any:
    """Call a function. What it returns, and a coroutine is run to its end first.

    limit: seconds after which ``SoftTimeLimitExceeded`` is raised in the coroutine where it waits, in any pool; None is none.
        In a function that is not async, Celery raises it.
    """
    result = function(*arguments)
    return run(result, limit=limit) if isinstance(result, Coroutine) else result


def run(coroutine: Coroutine[Any, Any, Any], *, limit: float | None) -> Any:
    """Run a coroutine to its end; `limit` as in `call`."""
    if not _is_in_loop():
        return _thread.kept.run(coroutine, limit)
    return _thread.kept.run_aside(coroutine, limit)


def check_pool(activity: Definition) -> None:
    """Raise `ConfigurationError` for an async activity in a process of greenlets: only one of them could run a loop."""
    if activity.is_async and (greenlets := greenlets_of_process()):
        raise ConfigurationError(
            f"{activity.name} is async def, and the greenlets of this pool ({greenlets}) cannot run an event loop: run its queue by a"
            " worker with --pool prefork, threads or solo"
        )


def greenlets_of_process() -> str | None:
    """Return the library that has made this process's threads greenlets, None for none."""
    found: str = detect_environment()
    return None if found == "default" else found


class TimeIsUp(SoftTimeLimitExceeded, asyncio.CancelledError):
    """Celery's error, raised where a coroutine waits; it is a cancellation too, by which asyncio ends what that waits for."""


class _Interruptible:
    """A coroutine that another error than a cancellation can be raised in, where it waits."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._coroutine = coroutine
        self._error: BaseException | None = None
        self.late: TimeIsUp | None = None  #: What was raised in it at its time limit.
        self.task = loop.create_task(self._run())

    def expire(self) -> None:
        """Tell it, once, that its time is up."""
        if self.late is None:
            self.late = TimeIsUp()
            self.interrupt(self.late)

    def interrupt(self, error: BaseException) -> None:
        """Raise an error in it at the next chance, unless it has ended."""
        if not self.task.done():
            self._error = error
            self.task.cancel()

    async def _run(self) -> Any:
        return await self._steps()

    @types.coroutine
    def _steps(self) -> Generator[Any, Any, Any]:
        answer: Any = None
        error: BaseException | None = None
        while True:
            try:
                awaited = (
                    self._coroutine.send(answer) if error is None else self._coroutine.throw(error)
                )
            except StopIteration as stop:
                return stop.value
            answer = error = None
            try:
                answer = yield awaited
            except asyncio.CancelledError as cancelled:
                error, self._error = self._error or cancelled, None
            except BaseException as raised:  # noqa: BLE001 - it is the coroutine's
                error = raised


class _Kept:
    """The event loop of one thread, and the thread that runs coroutines while a loop of another owner runs in this one."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._aside: ThreadPoolExecutor | None = None
        self._pid = os.getpid()

    def __del__(self) -> None:
        """Close the loop with its thread. One of before a fork stays: closed, it would leave its parent without its events."""
        if self._pid != os.getpid():
            _inherited.append(self._runner)
        elif not sys.is_finalizing():
            with suppress(Exception):
                self._runner.close()

    @property
    def is_own(self) -> bool:
        """Whether it is this process's."""
        return self._pid == os.getpid()

    def run(self, coroutine: Coroutine[Any, Any, Any], limit: float | None) -> Any:
        """Run a coroutine to its end. Raises ``SoftTimeLimitExceeded``, and what the coroutine does."""
        loop = self._runner.get_loop()
        running = _Interruptible(coroutine, loop)
        timer = loop.call_later(limit, running.expire) if limit else None
        try:
            with _signalled(lambda: loop.call_soon_threadsafe(running.expire)):
                return loop.run_until_complete(running.task)
        except asyncio.CancelledError as error:
            if running.late is None:
                raise
            raise SoftTimeLimitExceeded(limit).with_traceback(error.__traceback__) from None
        except BaseException as error:
            # One that ends the process may come from a signal's handler, in the middle of the loop.
            if not running.task.done():
                running.interrupt(error)
                loop.run_until_complete(running.task)
            raise
        finally:
            if timer:
                timer.cancel()

    def run_aside(self, coroutine: Coroutine[Any, Any, Any], limit: float | None) -> Any:
        """Do as `run`, in a thread of its own: no thread runs two loops. The one that runs here stands meanwhile."""
        if self._aside is None:
            self._aside = ThreadPoolExecutor(1, thread_name_prefix="amends-coroutines")
        app, context = app_or_default(), copy_context()

        def run() -> Any:
            with current(app):
                return _thread.kept.run(coroutine, limit)

        return self._aside.submit(context.run, run).result()


class _Thread(threading.local):
    """What each thread keeps."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None

    @property
    def kept(self) -> _Kept:
        """Its event loop, made when it is first asked for, and anew after a fork."""
        if self._kept is None or not self._kept.is_own:
            self._kept = _Kept()
        return self._kept


_thread: Final = _Thread()
_inherited: Final[list[asyncio.Runner]] = []


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def _signalled(interrupt: Callable[[], object]) -> Iterator[None]:
    """Let Celery's soft limit interrupt the coroutine. Its own handler may raise in the middle of the loop, where that is lost."""
    is_main = threading.current_thread() is threading.main_thread()
    if SIG_SOFT_TIMEOUT is None or not (is_main and has_handler()):
        yield
        return
    signal.signal(SIG_SOFT_TIMEOUT, lambda *_: interrupt())
    try:
        yield
    finally:
        signal.signal(SIG_SOFT_TIMEOUT, soft_timeout_sighandler)
