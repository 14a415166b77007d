"""The one place that a worker has for attempts that run apart from each other."""

import fcntl
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turn:
    """A lock that is not waited for, across the threads of a process, and if `shared` the processes of a pool.

    Made before the pool forks. A process that dies with it gives it back: POSIX releases the locks of the dead.
    """

    def __init__(self, *, shared: bool) -> None:
        self._file = _unnamed_file() if shared else None
        self._here = threading.Lock()  # no process locks itself out of a file

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Have the turn inside; yields False if another attempt has it."""
        if not self._here.acquire(blocking=False):
            yield False
            return
        try:
            yield self._file is None or _lock(self._file)
        finally:
            if self._file is not None:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
            self._here.release()


def _lock(file: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):  # Linux: no disk has to take writes
        return os.memfd_create("amends-turn")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
