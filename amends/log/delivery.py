"""A message that a script of the log delivers itself."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from dataclasses import dataclass
from typing import Final

Destination = tuple[str, int, int]

NOWHERE: Final[Destination] = ("", 0, 0)
"""What scripts take where there is nothing to deliver."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message as the broker keeps it, and its destination: its queue's key, the broker's database, the log's."""

    text: str
    destination: Destination
