"""Owners of claims: the worker that a process belongs to, the process, and the message that it claims for."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import json
import mmap
import os
import secrets
from ctypes import c_bool, c_int32
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Final, Self

from amends.log.turn import Turn

_PLACES: Final = 32_768
"""Processes that are told apart by their ids: those of one pool follow each other."""


class WorkerProcess:
    """One worker, from its start to its end; or a process that is none, as one that starts sagas.

    node: what Celery calls it, '' for a process that is no worker.
    sends_events: whether it sends the events of tasks, which Flower switches on and off.
    is_ending: whether it is about to end: a message ends with the step at hand.
    turn: its one place for attempts that run apart.
    killed: processes of the pool that their hard limit ended, and when by the monotonic clock.
    current: the worker that this process belongs to.

    Made before the pool forks: its children inherit the name that claims and heartbeats bear, and share the memory of
    the two flags, which say what becomes of it while they run, and of `is_calling`.
    """

    current: ClassVar[WorkerProcess]

    def __init__(self, node: str) -> None:
        self.name = secrets.token_hex(6)
        self.node = node
        self._calls = (c_int32 * _PLACES).from_buffer(mmap.mmap(-1, 4 * _PLACES))
        shared = mmap.mmap(-1, 2)
        self.sends_events = c_bool.from_buffer(shared, 0)
        self.is_ending = c_bool.from_buffer(shared, 1)
        self.turn = Turn(shared=bool(node))
        self.killed: dict[int, float] = {}

    @classmethod
    def enter(cls, node: str) -> Self:
        """Make this process a worker's, anew where a parent process made several; returns it."""
        cls.current = worker = cls(node)
        return worker

    def leave(self) -> None:
        """Note that this process is no worker any more."""
        self.node = ""

    def switch_events(self, *, on: bool) -> None:
        """Note whether it sends the events of tasks, for all its processes."""
        self.sends_events.value = on

    def note_ending(self, *, ends: bool = True) -> None:
        """Note whether it is about to end, for all its processes."""
        self.is_ending.value = ends

    def note_call(self, pid: int, *, begins: bool) -> None:
        """Note that a process of the pool begins or ends a call behind a circuit breaker."""
        self._calls[pid % _PLACES] = pid if begins else 0

    def is_calling(self, pid: int) -> bool:
        """Return whether a process of the pool was in such a call, also once it was killed."""
        return bool(self._calls[pid % _PLACES] == pid)


WorkerProcess.enter("")


def has_died(pid: int) -> bool:
    """Return whether a process of this one's pool has ended, reaped or not; reaping it is left to Celery.

    pid: of a child of this process, or its own, which a solo pool has.

    False where the system cannot tell.
    """
    if not hasattr(os, "waitid"):
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # reaped
        return pid != os.getpid()


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
    def parse(cls, text: str) -> Self | None:
        """Read what `format` wrote; None for '', the owner of what runs without a worker."""
        worker, _, rest = text.partition(":")
        pid, _, message = rest.partition(":")
        return cls(worker=worker, pid=pid, message=message) if worker else None

    def format(self) -> str:
        """Write it as the log keeps it."""
        return f"{self.worker}:{self.pid}:{self.message}"


@cache
def owner_prefix(worker: str, pid: int) -> str:
    """Return what every `Owner` of a process begins with in the log; the id of its message comes after it."""
    return Owner(worker=worker, pid=str(pid), message="").format()


@cache
def process_members(node: str, pid: int) -> str:
    """Return what the event of a claim tells of its process, as members of a JSON object; '' where there is no worker.

    node: what Celery calls the worker.
    """
    return f'"worker":{json.dumps(node)},"pid":{pid}' if node else ""
