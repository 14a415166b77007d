"""Calls of the log that must land, while it may be away."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

from amends.errors import LogUnavailable

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0


def retry_until_written(call: Callable[[], T], *, until: float) -> T:
    """Repeat a call of the log until it lands; a script repeated under one token answers the same.

    `until` is a time as of ``time.monotonic()``; after it `LogUnavailable` is raised.
    """
    pause = _FIRST_PAUSE
    while True:
        try:
            return call()
        except SoftTimeLimitExceeded:
            continue  # it is the function's limit, and came too late to stop it
        except LogUnavailable:
            if time.monotonic() + pause > until:
                raise
        with suppress(SoftTimeLimitExceeded):
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        pause = min(pause * 2, _LONGEST_PAUSE)
