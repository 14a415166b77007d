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
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any, Final

from billiard.pool import SIG_SOFT_TIMEOUT, soft_timeout_sighandler
from celery.app import app_or_default
from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.log import get_task_logger

from amends.activities.soft_limit import has_handler
from amends.backend.celery_apps import current

_logger: Final = get_task_logger(__name__)
_CLOSING: Final = "async_generator_athrow"
_tidied_by: Final[list[Callable[[], Awaitable[object]]]] = []


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


def around_each_coroutine(tidy_up: Callable[[], Awaitable[object]]) -> None:
    """Await `tidy_up` in each loop before and after each coroutine that it runs."""
    if tidy_up not in _tidied_by:
        _tidied_by.append(tidy_up)


async def _close_generators() -> None:
    """Let async generators be closed that were left early, as ``asyncio.run`` does at its end."""
    await asyncio.sleep(0)  # their closing begins as a task
    closing = [each for each in asyncio.all_tasks() if type(each.get_coro()).__name__ == _CLOSING]
    if closing:
        await asyncio.wait(closing)


async def _tidy_up() -> None:
    for tidy_up in _tidied_by:
        try:
            await tidy_up()
        except Exception:
            _logger.exception("it could not be tidied up around an async activity")


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
        await _tidy_up()
        try:
            return await self._steps()
        finally:
            await _close_generators()
            await _tidy_up()

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
            else:  # what it waited for may have swallowed the cancellation
                error, self._error = self._error, None


class _Kept:
    """The event loop of one thread, and the thread that runs coroutines while a loop of another owner runs in this one."""

    def __init__(self) -> None:
        # With a factory it is not the thread's current loop, which any other task may get and close.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._aside: ThreadPoolExecutor | None = None
        self._pid = os.getpid()

    def __del__(self) -> None:
        """Close the loop with its thread. One of before a fork stays: closed, it would leave its parent without its events."""
        if self._pid != os.getpid():
            _inherited.append(self._runner)
        elif not sys.is_finalizing() and not self._runner.get_loop().is_closed():
            with suppress(Exception):
                self._runner.close()

    @property
    def is_usable(self) -> bool:
        """Whether it is this process's, and open."""
        return self._pid == os.getpid() and not self._runner.get_loop().is_closed()

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
        except BaseExceptionGroup as group:  # of a TaskGroup, which takes subclasses of CancelledError for errors before 3.13
            if running.late is None or group.subgroup(TimeIsUp) is None:
                raise
            raise SoftTimeLimitExceeded(limit) from group
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
        if self._kept is None or not self._kept.is_usable:
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
