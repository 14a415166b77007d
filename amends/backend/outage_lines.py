"""Log lines about an outage: one in a while for the whole process, however many would say the same."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

EVERY: Final = 10.0
"""Seconds between two lines of a process about outages."""


class OutageLines:
    """Warns that a server is away, at most once in `every` seconds; what is kept back is logged at DEBUG, and counted.

    It takes no lock, which a forked child might inherit held: threads of one moment may write a line each.
    """

    def __init__(
        self, *, every: float = EVERY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every = every
        self._clock = clock
        self._next = float("-inf")
        self._kept = 0

    def begin_anew(self) -> None:
        """Write the next line, whatever was written before."""
        self._next, self._kept = float("-inf"), 0

    def warn(self, logger: logging.Logger, text: str, *arguments: Any) -> None:
        """Write a line, or keep it back.

        logger: whose line it is.
        text: its format, as `logging` takes it.
        arguments: what stands in it.
        """
        now = self._clock()
        if now < self._next:
            self._kept += 1
            logger.debug(text, *arguments, stacklevel=2)
            return
        kept, self._kept, self._next = self._kept, 0, now + self._every
        if kept:
            text, arguments = f"{text} (%d such lines were kept back)", (*arguments, kept)
        logger.warning(text, *arguments, stacklevel=2)


OUTAGE: Final = OutageLines()
"""Of this process: the saga log, the broker, circuit breakers' Redis and the outbox's database share it."""
