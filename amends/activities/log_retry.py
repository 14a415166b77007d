"""Calls of the log that must land, while it may be away."""

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

from amends.activities.raised import ends_process
from amends.errors import ConfigurationError, LogUnavailable

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0


def interrupts(error: BaseException) -> bool:
    """Tell whether a call of the log that raised this is to be repeated.

    The log is away, or answers what an operator has to mend: no answer of Redis costs a result. Or a limit of the function
    went off, and came too late to stop it: Celery's, or one that the function set itself and left behind, such as a
    ``gevent.Timeout``.
    """
    if isinstance(error, Exception):
        return isinstance(error, LogUnavailable | ConfigurationError | SoftTimeLimitExceeded)
    return not ends_process(error)


def retry_until_written(call: Callable[[], T], error: BaseException, *, until: float) -> T:
    """Repeat a call of the log until it lands; a script repeated under one token answers the same.

    call: what was interrupted.
    error: what it raised, of which `interrupts` is true.
    until: a time as of ``time.monotonic()``; after it, what interrupted the last call is raised.
    """
    pause = _FIRST_PAUSE
    while True:
        if time.monotonic() + pause > until:
            raise error
        try:
            if not isinstance(error, SoftTimeLimitExceeded):
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
                pause = min(pause * 2, _LONGEST_PAUSE)
            return call()
        except BaseException as again:
            if not interrupts(again):
                raise
            error = again
