"""Transactional outbox: a message that a script of the log pushes into its queue."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from dataclasses import dataclass
from typing import Final

Destination = tuple[str, int, int]

NOWHERE: Final[Destination] = ("", 0, 0)
"""The destination of no message."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message as the broker stores it. Its destination: the queue's key, the broker's database, the log's database."""

    text: str
    destination: Destination
