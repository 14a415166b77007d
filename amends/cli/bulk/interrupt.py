"""Ctrl-C while an act on many sagas runs: it ends after the sagas at hand; the second one ends it at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stopped_by_ctrl_c(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGINT inside, and raise ``KeyboardInterrupt`` at the next one.

    A process that ignores the signal, as a script's in the background does, goes on to.
    """
    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()  # which alone gets signals
    if not is_main or before is signal.SIG_IGN:
        yield
        return

    def interrupt(*_: Any) -> None:
        signal.signal(signal.SIGINT, before)
        stop()

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
