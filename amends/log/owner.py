"""Who owns a claim: this worker, this process, and the message that it claims for."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import os
import secrets


class _Worker:
    """Holds this worker's name, from its start to its end; the processes of its pool inherit it."""

    name = secrets.token_hex(6)


def name_worker() -> None:
    """Give this worker a name of its own."""
    _Worker.name = secrets.token_hex(6)


def worker_name() -> str:
    """Name this worker."""
    return _Worker.name


def claimer(message: str) -> str:
    """Name the owner of a claim: this worker, this process, and the message that it claims for."""
    return f"{_Worker.name}:{os.getpid()}:{message}"
