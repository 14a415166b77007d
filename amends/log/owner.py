"""Owners of claims: a worker, a process of its pool, and the message that it claims for."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import os
from dataclasses import dataclass
from typing import Self

from amends.log.worker_process import this_worker


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
