"""Whose a circuit is: all processes', or those of one worker."""

import socket
from typing import Final, Literal

Scope = Literal["shared", "worker"]

BETWEEN: Final = "@"
"""Joins a breaker's name and a worker's, as in ``payments@celery@host-7``: no name of a breaker has it."""

_own = socket.gethostname()


def enter_worker(node: str) -> None:
    """Let circuits that are a worker's be this one's, in this process and in those that it forks.

    node: what Celery calls it. Outside of workers they are the host's.
    """
    global _own  # noqa: PLW0603 - of the process, as its host's name is
    _own = node


def circuit_name(breaker: str, scope: Scope, worker: str | None = None) -> str:
    """Name the circuit of a breaker that a worker meets, by default this process's."""
    return breaker if scope == "shared" else f"{breaker}{BETWEEN}{worker or _own}"
