"""Blocking calls of the engine from a coroutine: under the app of its thread, in a thread of another."""

from collections.abc import Callable
from functools import partial
from typing import Final, ParamSpec, TypeVar

from celery import Celery
from celery.app import app_or_default

from amends.asynchronous.threads import NoThread, Threads
from amends.backend.celery_apps import current
from amends.errors import LogUnavailable

P = ParamSpec("P")
Answer = TypeVar("Answer")

CALLS: Final = Threads("amends-async", at_most=5)
"""Those of all loops of this process. While Redis or the broker hangs a call takes some seconds, and others wait for it.

Not more than ten in all: each may hold the interpreter for 5 ms (``sys.getswitchinterval``) before the loop has its turn. More
start no more sagas while Redis and broker answer.
"""

READS: Final = Threads("amends-async-reads", at_most=2)
"""Those of reads, which ask the log alone: a broker that hangs must not hold them up."""

LOOKS: Final = Threads("amends-async-waits", at_most=3)
"""Those of waits, of which there may be thousands."""


async def in_thread(call: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
    """Read in a thread. Raises what the call does, and `LogUnavailable` if no thread was free: it was not made then."""
    return await in_thread_of(READS, partial(call, *args, **kwargs))


async def in_thread_of(
    threads: Threads,
    call: Callable[[], Answer],
    *,
    saga_id: str | None = None,
    act_id: str | None = None,
) -> Answer:
    """Make a call in one of these threads. Raises what `in_thread` does.

    saga_id, act_id: of the start or the act that it is, for the error.
    """
    try:
        return await run_in(threads, call)
    except NoThread as error:
        why = f"{error} of the saga log or the broker"
    raise LogUnavailable(why, saga_id, act_id, refused=True)


async def run_in(threads: Threads, call: Callable[[], Answer]) -> Answer:
    """Make a call in one of these threads. Raises what it does, and `NoThread` if none was free."""
    # Celery's current app is one for each thread.
    return await threads.run(partial(_under, app_or_default(), call))


def _under(app: Celery, call: Callable[[], Answer]) -> Answer:
    with current(app):
        return call()
