"""Calls of the log that must land, while it may be away."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

from amends.errors import ConfigurationError, LogUnavailable

T = TypeVar("T")

INTERRUPTIONS: Final = (LogUnavailable, ConfigurationError, SoftTimeLimitExceeded)
"""Errors of a call of the log that is to be repeated. The limit is the function's, and came too late to stop it.

The second is an answer of Redis that an operator has to mend: no answer of Redis costs a result.
"""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0


def retry_until_written(call: Callable[[], T], error: Exception, *, until: float) -> T:
    """Repeat a call of the log until it lands; a script repeated under one token answers the same.

    call: what was interrupted.
    error: the one of `INTERRUPTIONS` that it raised.
    until: a time as of ``time.monotonic()``; after it the log's error is raised.
    """
    pause = _FIRST_PAUSE
    while True:
        if not isinstance(error, SoftTimeLimitExceeded):
            if time.monotonic() + pause > until:
                raise error
            with suppress(SoftTimeLimitExceeded):
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            pause = min(pause * 2, _LONGEST_PAUSE)
        try:
            return call()
        except INTERRUPTIONS as again:
            error = again
