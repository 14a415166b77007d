"""Waiting for what comes true by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(holds: Callable[[], T], *, timeout: float = 60.0, every: float = 0.02) -> T:
    """Poll until something is true, and return it; raises `AssertionError` after `timeout` seconds.

    The timeout is generous, for a busy machine: it costs nothing where the thing happens.
    """
    until = time.monotonic() + timeout
    while not (found := holds()):
        assert time.monotonic() < until, (
            f"it did not come true in {timeout:g} s, the last was {found!r}"
        )
        time.sleep(every)
    return found
