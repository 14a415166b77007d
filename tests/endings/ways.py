"""Ways in which an activity's call ends, and what its saga's history should then say."""

import argparse
import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final

from billiard.exceptions import Terminated, TimeLimitExceeded, WorkerLostError
from celery import current_task
from celery.exceptions import (
    Ignore,
    Reject,
    Retry,
    SoftTimeLimitExceeded,
    WorkerShutdown,
    WorkerTerminate,
)

from amends import NotDone, Refused
from tests.endings import errors
from tests.endings.models import Checked, Made, Undumpable


@dataclass(frozen=True)
class Way:
    """One way.

    end: ends the call.
    error: name of the error in the history.
    attempts: how many are made, of two.
    of_undo: the error's name where a compensation ends so, which returns nothing.
    alone: whether a call outside of a saga ends so too: its output goes nowhere, a `Retry` is Celery's, and a killed
        greenlet is gone.
    """

    end: Callable[[], Any]
    error: str
    attempts: int = 2
    of_undo: str = ""
    alone: bool = True

    def error_at(self, record: str) -> str:
        """Return the error's name in the history of this record."""
        return self.of_undo if self.of_undo and record.endswith("undo") else self.error


def throw(error: BaseException | Callable[[], BaseException]) -> Any:
    """Raise an error, or the one that is made."""
    raise error if isinstance(error, BaseException) else error()


def parse_arguments() -> None:
    """Parse arguments as a command does."""
    with Path(os.devnull).open("w") as nothing, redirect_stderr(nothing):
        argparse.ArgumentParser().parse_args(["--unknown"])


def cancel() -> None:
    """Cancel the task of an event loop."""

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with _LOOP:  # a thread has one at a time, and greenlets share theirs
        asyncio.run(main())


_LOOP: Final = threading.Lock()


def exhaust_the_stack() -> None:
    """Call itself."""
    exhaust_the_stack()


def as_function(function: Callable[[], Any]) -> Callable[[], Any]:
    """Hide what a function is, as a decorator does."""

    @wraps(function)
    def call() -> Any:
        return function()

    del call.__wrapped__
    return call


@as_function
async def coroutine() -> Made:
    """Answer, to who awaits it."""
    return Made()


@as_function
def generator() -> Iterator[Made]:
    """Answer, to who iterates over it."""
    yield Made()


def _raising(*made: tuple[Callable[..., BaseException], *tuple[Any, ...]]) -> dict[str, Way]:
    """Make a way of each class of errors and what it is made with."""
    ways = {}
    for make, *given in made:
        name = type(make(*given)).__name__
        ways[f"raises {name}"] = Way(partial(throw, partial(make, *given)), name)
    return ways


def _returning(**made: tuple[Callable[[], Any], str]) -> dict[str, Way]:
    """Make a way of each output that cannot be recorded."""
    return {
        f"returns {name}": Way(make, error, of_undo="TypeError")
        for name, (make, error) in made.items()
    }


def _unwritten(make: Callable[[], Any], error: str) -> Way:
    """Make a way of an output that only the log cannot have."""
    return Way(make, error, of_undo="TypeError", alone=False)


try:
    from gevent import GreenletExit, Timeout
except ImportError:  # it is optional; so are the pools with it
    GreenletExit = type("GreenletExit", (BaseException,), {})
    Timeout = type("Timeout", (BaseException,), {})

NOT_WRITTEN: Final = "PydanticSerializationError"

WAYS: Final[Mapping[str, Way]] = {
    "refuses": Way(lambda: throw(Refused("no")), "Refused", attempts=1),
    "refuses by a name": Way(lambda: throw(errors.SoldOutError("no")), "SoldOutError", attempts=1),
    **_raising(
        *((ValueError, "no"), (NotDone, "away"), (ConnectionError, "cut"), (StopIteration, 3)),
        *((StopAsyncIteration,), (SystemExit, 2), (KeyboardInterrupt,), (GeneratorExit,)),
        *((asyncio.CancelledError,), (errors.Farewell, "bye"), (Timeout, 3), (MemoryError, "full")),
        *((Ignore,), (Reject, "no"), (WorkerShutdown, 0), (WorkerTerminate, 1)),
        *((WorkerLostError, "lost"), (Terminated, 9), (TimeLimitExceeded, 3)),
        *((errors.ForgetfulError, 503), (errors.VagueError,), (errors.TouchyError,)),
        *((errors.UnprintableError, "x"), (errors.MistypedError,), (errors.QuitterError,)),
        *((errors.LockedError,), (errors.BoobyTrappedError,), (errors.DemandingError, 503, "away")),
        *((errors.FrozenError,), (errors.IncomparableError, "no")),
        (ExceptionGroup, "many", [ValueError("a"), errors.LockedError()]),
        (BaseExceptionGroup, "many", [ValueError("a"), SystemExit(1)]),
    ),
    "raises Retry": Way(lambda: throw(Retry("again")), "Retry", alone=False),
    "rejects and asks for it back": Way(lambda: throw(Reject("no", requeue=True)), "Reject"),
    "raises LateError": Way(lambda: throw(errors.unknown_elsewhere()), "LateError"),
    "raises its soft limit": Way(partial(throw, SoftTimeLimitExceeded), "TimeoutError"),
    "raises from a huge one": Way(
        lambda: throw(errors.caused(ValueError("x" * 5_000_000))), "ValueError"
    ),
    "raises a huge text": Way(lambda: throw(ValueError("x" * 5_000_000)), "ValueError"),
    "raises half a surrogate": Way(lambda: throw(ValueError("half \ud800")), "ValueError"),
    "raises control characters": Way(lambda: throw(ValueError("a\0\x1b[2J\u202e")), "ValueError"),
    "raises in a circle": Way(partial(throw, errors.in_a_circle), "ValueError"),
    "is killed as a greenlet": Way(partial(throw, GreenletExit), "GreenletExit", alone=False),
    "exits": Way(partial(sys.exit, 0), "SystemExit"),
    "parses arguments": Way(parse_arguments, "SystemExit"),
    "cancels itself": Way(cancel, "CancelledError"),
    "takes all memory": Way(partial(bytearray, 1 << 62), "MemoryError"),
    "exhausts the stack": Way(exhaust_the_stack, "RecursionError"),
    "retries by Celery": Way(lambda: current_task.retry(countdown=0.1), "Retry", alone=False),
    **_returning(
        generator=(generator, "ValidationError"),
        coroutine=(coroutine, "ValidationError"),
        text=(lambda: "made", "ValidationError"),
        lock=(lambda: Made(value=errors.LockedError().lock), NOT_WRITTEN),
        function=(lambda: Made(value=print), NOT_WRITTEN),
        bytes=(lambda: Made(value=b"\xff\xfe"), "UnicodeDecodeError"),
    ),
    "returns a surrogate": _unwritten(lambda: Made(value="\ud800"), NOT_WRITTEN),
    "returns too much": _unwritten(lambda: Made(value="x" * 2_000_000), "ValueError"),
    "exits as it validates": Way(lambda: Checked(number=1), "SystemExit"),
    "is interrupted as it is written": Way(Undumpable, NOT_WRITTEN, of_undo="TypeError"),
}
"""The ways by name."""
