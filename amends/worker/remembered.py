"""What the saga log has acknowledged to a worker of late, kept apart from the log."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import mmap
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from os import SEEK_END
from pathlib import Path
from struct import Struct
from typing import Any, ClassVar, Final, Self

from billiard import current_process
from celery import Celery
from celery.signals import worker_process_init

from amends.errors import ConfigurationError
from amends.log.observers import Memory, keep_in
from amends.log.queries.lost_writes import Acknowledged

_SLOT: Final = Struct("201p183p")  # a saga's id, and what has room of an event
_SLOTS: Final = 2_048  # transitions that each process remembers
_MOST: Final = 128  # processes whose transitions are remembered


class Remembered:
    """The last transitions of each process of a worker, in memory that they share: a killed child's stay known.

    app: whose log they are in.
    processes: of the worker's pool. Made before they fork.
    file: where it is kept, so that a worker that is killed as a whole finds it at its next start; None for memory.
    current: of the worker that this process belongs to; None in a process that is no worker.
    """

    current: ClassVar[Remembered | None] = None

    def __init__(self, app: Celery, processes: int, file: Path | None = None) -> None:
        self._app = app
        self._rings = 1 + min(processes, _MOST)
        size = self._rings * _SLOTS * _SLOT.size
        self._memory = mmap.mmap(-1, size) if file is None else _mapped(file, size)

    @classmethod
    def enter(cls, app: Celery, processes: int, file: Path | None = None) -> Self:
        """Remember from now on what the log acknowledges to this process and its children."""
        cls.current = remembered = cls(app, processes, file)
        remembered.write_to(0)
        return remembered

    @classmethod
    def leave(cls) -> None:
        """Remember nothing more."""
        cls.current = None
        keep_in(None)

    def write_to(self, ring: int) -> None:
        """Let this process write to one of the parts: a worker's own is the first, a child has that of its place in the pool."""
        if ring >= self._rings:
            keep_in(None)
            return
        size = _SLOTS * _SLOT.size
        places = cycle(range(ring * size, (ring + 1) * size, _SLOT.size))
        keep_in(Memory(self._app, partial(_SLOT.pack_into, self._memory), places))

    def __iter__(self) -> Iterator[Acknowledged]:
        """Yield what is remembered."""
        for name, event in _SLOT.iter_unpack(self._memory):
            if name:
                yield Acknowledged(name.decode(), event.decode(errors="ignore"))


def _mapped(file: Path, size: int) -> mmap.mmap:
    """Map a file, with what it has. Raises `ConfigurationError` where that cannot be done."""
    try:
        with file.open("a+b") as kept:
            # A hole in the file would end the process by SIGBUS once the disk is full, and so would a file cut short.
            kept.write(bytes(max(0, size - kept.seek(0, SEEK_END))))
            kept.flush()
            return mmap.mmap(kept.fileno(), size)
    except OSError as error:
        raise ConfigurationError(
            f"amends_acknowledged_file: {file} cannot be written ({error}); make its folder, or name another file"
        ) from error


@worker_process_init.connect
def _begin(**_: Any) -> None:
    """Begin the part of a child of the pool."""
    if Remembered.current is not None:
        Remembered.current.write_to(1 + int(getattr(current_process(), "index", _MOST)))
