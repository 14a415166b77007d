"""What an activity raised: whose end it is, what the log keeps of it, and what Celery may have of it."""

import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from billiard.einfo import ExceptionInfo, ExceptionWithTraceback  # type: ignore[attr-defined]
from billiard.exceptions import Terminated, TimeLimitExceeded, WorkerLostError
from celery import current_app
from celery.exceptions import Retry, SoftTimeLimitExceeded, TaskPredicate
from kombu.utils.encoding import safe_repr
from pydantic_core import to_json

from amends.activities.soft_limit import timed_out
from amends.backend.settings import settings_of
from amends.definition.error_origin import frame_of, traceback_of
from amends.definition.serialization import error_members, message_of, type_name, without_values
from amends.errors import ActivityError, ConfigurationError, NotDone, Refused

LARGEST: Final = 64 * 1024
"""Bytes, pickled, and characters of text that an error may have to reach Celery as it is."""

_HANDLERS: Final = frozenset({"billiard.common", "celery.apps.worker"})
"""Modules whose signal handlers end a process of a pool (by SIGTERM), or a worker in the thread that runs tasks."""

# What Celery's main process takes for a command or for a fault of its own (celery/worker/request.py, `on_failure`).
_COMMANDS: Final = (MemoryError, TaskPredicate, WorkerLostError, Terminated, TimeLimitExceeded)


class ProcessEnd(BaseException):
    """Ends whatever runs an attempt, as the end of its process would. The base of those that are simulated."""


def ends_process(error: BaseException) -> bool:
    """Tell whether an error ends the process or greenlet that it was raised in: no attempt failed, nothing is counted.

    These are SystemExit by a signal handler of Celery's, also if the activity raised another error on the way
    out; the kill of a greenlet; and Ctrl-C outside of a worker. Whatever else an activity raises is its own.
    """
    if isinstance(error, ProcessEnd):
        return True
    if isinstance(error, KeyboardInterrupt):
        return _is_interruptible()
    return is_killed_greenlet(error) or any(map(_is_shutdown, _chain(error)))


def is_killed_greenlet(error: BaseException) -> bool:
    """Tell whether an error is the kill of the greenlet that runs: Celery kills one to terminate its task."""
    greenlet: Any = sys.modules.get("greenlet")  # imported by gevent and eventlet alone
    if greenlet is None or not isinstance(error, greenlet.GreenletExit):
        return False
    return greenlet.getcurrent().parent is not None


def is_unknown(error: BaseException) -> bool:
    """Tell whether nobody knows if an attempt that ended so took effect."""
    return not isinstance(error, Refused | NotDone)


def failure_json(error: BaseException, function: Callable[..., Any]) -> str:
    """Write the error of an attempt for the log: as `error_json` does, with the ``frame`` that raised it.

    function: the activity's, whose package is the application's.

    With `amends_tracebacks` the ``traceback`` is in it too.
    """
    members = error_members(error)
    frame = frame_of(error, str(getattr(function, "__module__", "")).partition(".")[0])
    if frame is not None:
        members["frame"] = frame
        with suppress(
            ConfigurationError
        ):  # the failure is recorded whatever the settings are by now
            if settings_of(current_app).tracebacks:
                members["traceback"] = traceback_of(error)
    return to_json(members).decode()


def as_told(error: BaseException, *, limit: float, took: float) -> BaseException:
    """Return an error as the history and the breaker are told it: a time limit's, or without values that do not validate.

    The end of an attempt's time is Celery's soft limit under prefork, and its hard limit under gevent.

    limit: the attempt's start-to-close timeout in seconds.
    took: seconds since it began.
    """
    error = _alone(error)
    gevent: Any = sys.modules.get("gevent")
    is_late = gevent is not None and took >= limit and isinstance(error, gevent.Timeout)
    if is_late or isinstance(error, SoftTimeLimitExceeded):
        late = timed_out(limit, took=took).with_traceback(error.__traceback__)
        late.__cause__, error = error.__cause__, late  # both tell where the time was spent
    return without_values(error)


def _alone(error: BaseException) -> BaseException:
    """Return the answer that a group holds, as a ``TaskGroup`` raises one, if it holds no other errors; else what is given."""
    if isinstance(error, BaseExceptionGroup):
        for kind in (Refused, NotDone):
            if error.split(kind)[1] is None:
                return next(_leaves(error))
    return error


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for each in group.exceptions:
        yield from _leaves(each) if isinstance(each, BaseExceptionGroup) else (each,)


def keep_from_celery(error: BaseException) -> None:
    """Raise an `ActivityError` in place of an error that would end a worker, or a thread or process of its pool.

    Others may leave a task: what is harmless to Celery or meant for it, and what ends the process.
    """
    is_fatal = isinstance(error, MemoryError) or not isinstance(error, Exception)
    if is_fatal and not ends_process(error):
        raise for_celery(error) from None


def for_celery(error: BaseException) -> Exception:
    """Return an error as Celery may have it: as it is, or an `ActivityError` that stands for it.

    It stays as it is if it is an ordinary exception that can be printed and pickled, and is not large.
    """
    if isinstance(error, Exception) and not isinstance(error, _COMMANDS) and _is_plain(error):
        return error
    stand_in = ActivityError(type_name(error), message_of(error))
    return stand_in.with_traceback(error.__traceback__)


class Printed(Exception):  # noqa: N818 - it is what remains of one
    """Stands for an error in a worker's main process, which prints it: it has the error's ``repr``."""

    def __repr__(self) -> str:
        return str(self.args[0])


class PrintedInfo(ExceptionInfo):
    """The ``ExceptionInfo`` of an error, with another in its place."""

    def __init__(self, info: ExceptionInfo, error: Exception) -> None:
        vars(self).update(vars(info), type=type(error), exception=error)


def for_main_process(traced: Any) -> Any:
    """Take an activity's own objects out of what Celery's tracer answered.

    A worker's main process unpickles it, and would end by a class that its child alone knows, as one made as it ran.

    traced: Celery's ``trace_ok_t``: the result, or the error's ``ExceptionInfo`` with how the task failed.
    """
    info, *rest = traced
    if rest[0] is None or not isinstance(info, ExceptionInfo):
        return traced
    error: Any = info.exception
    if isinstance(error, ExceptionWithTraceback):
        error = error.exc
    if isinstance(error, Retry):
        cause = None if error.exc is None else Printed(safe_repr(error.exc))
        printed: Exception = Retry(error.message, exc=cause, when=error.when)
    elif isinstance(error, TaskPredicate):
        return traced
    else:
        printed = Printed(safe_repr(error))
    return type(traced)(PrintedInfo(info, printed), *rest)


def _is_plain(error: Exception) -> bool:
    try:
        texts = [text for each in _chain(error) for text in (str(each), repr(each))]
        pickled = pickle.dumps(error)
        is_same = type(pickle.loads(pickled)) is type(error)  # noqa: S301 - our own
    except BaseException as flaw:  # the error's own code ran, and may raise anything
        if ends_process(flaw):
            raise
        return False
    return is_same and max(len(pickled), *map(len, texts)) <= LARGEST


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and those behind it, as a traceback shows them."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__context__ if error.__cause__ is None else error.__cause__


def _is_shutdown(error: BaseException) -> bool:
    if not isinstance(error, SystemExit):
        return False
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(frame.f_globals.get("__name__") in _HANDLERS for frame in frames)


def _is_interruptible() -> bool:
    """Tell whether Ctrl-C raises here: a worker has other handlers, and a process of its pool has none."""
    return (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
