"""Owners of claims: the worker that a process belongs to, the process, and the message that it claims for."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import mmap
import os
import secrets
from dataclasses import dataclass
from typing import Final, Self

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


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who holds a claim.

    worker: the name of a worker, from its start to its end.
    pid: of the process in its pool.
    message: id of the Celery message that the process claimed for.
    """

    worker: str
    pid: str
    message: str

    @classmethod
    def here(cls, message: str) -> Self:
        """Return this process as the owner of a claim for that message."""
        return cls(worker=this_worker().name, pid=str(os.getpid()), message=message)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `format` wrote; None for '', the owner of what runs without a worker."""
        worker, _, rest = text.partition(":")
        pid, _, message = rest.partition(":")
        return cls(worker=worker, pid=pid, message=message) if worker else None

    def format(self) -> str:
        """Write it as the log keeps it."""
        return f"{self.worker}:{self.pid}:{self.message}"
