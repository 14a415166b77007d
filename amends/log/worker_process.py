"""The worker that this process belongs to, as it and all processes of its pool know it."""

import mmap
import secrets
from typing import Final

_SENDS_EVENTS: Final = 0
_IS_ENDING: Final = 1


class WorkerProcess:
    """One worker, from its start to its end; or a process that is none, as one that starts sagas.

    node: what Celery calls it, '' for a process that is no worker.

    Made before the pool forks: its children inherit the name that claims and heartbeats bear, and share two bytes,
    which say what becomes of it while they run.
    """

    def __init__(self, node: str = "") -> None:
        self.name = secrets.token_hex(6)
        self.node = node
        self._shared = mmap.mmap(-1, 2)

    @property
    def sends_events(self) -> bool:
        """Whether it sends the events of tasks, which Flower switches on and off."""
        return bool(self._shared[_SENDS_EVENTS])

    def switch_events(self, *, on: bool) -> None:
        """Note whether it sends the events of tasks, for all its processes."""
        self._shared[_SENDS_EVENTS] = on

    @property
    def is_ending(self) -> bool:
        """Whether it is about to end: a message ends with the step at hand."""
        return bool(self._shared[_IS_ENDING])

    def note_ending(self, *, ends: bool = True) -> None:
        """Note whether it is about to end, for all its processes."""
        self._shared[_IS_ENDING] = ends

    def leave(self) -> None:
        """Note that this process is no worker any more."""
        self.node = ""


_current = WorkerProcess()


def enter_worker(node: str) -> WorkerProcess:
    """Make this process a worker's, anew where a parent process made several; returns it."""
    global _current  # noqa: PLW0603 - there is one for a process
    _current = WorkerProcess(node)
    return _current


def this_worker() -> WorkerProcess:
    """Return the worker that this process belongs to."""
    return _current
