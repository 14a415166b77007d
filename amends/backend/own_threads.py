"""Rounds of threads that are the engine's own, and call code of the application's: a schedule's input, a route, a receiver of a signal.

What such code leaves open in its thread, such as a connection to a database, no task or request would close.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_logger: Final = logging.getLogger(__name__)
_closers: Final[list[Callable[[], None]]] = []


def after_each_round(close: Callable[[], None]) -> None:
    """Call `close` in each such thread after each of its rounds."""
    if close not in _closers:
        _closers.append(close)


@contextmanager
def round_of_own_thread() -> Iterator[None]:
    """Be a round: what `after_each_round` was given is called at its end. An error of it is a line of the log."""
    try:
        yield
    finally:
        for close in _closers:
            try:
                close()
            except Exception:
                _logger.exception("a thread could not be cleared up after a round")
