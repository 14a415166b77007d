"""When each saga came to its last step, noted by whatever process ran it.

Eight bytes for the saga's number and eight for the time are appended to one file, at once. It costs the same few
microseconds whoever does it, and no command to Redis, which is itself under measurement.
"""

import os
import struct
import time
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

PLACE: Final = "BENCH_STAMPS"
"""The variable of the environment that names the file."""
_RECORD: Final = struct.Struct("<qq")
_LOOK: Final = 0.01  # seconds between two looks at its size


class Stamp(NamedTuple):
    """A saga's number, and when its last step ran: seconds of this machine's monotonic clock."""

    number: int
    at: float


def stamp(order_id: str) -> None:
    """Note that the saga of this order is at its last step."""
    number = int(order_id.rpartition("-")[2])
    os.write(_file(), _RECORD.pack(number, time.monotonic_ns()))


@cache
def _file() -> int:
    return os.open(os.environ[PLACE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


class StampFile:
    """The file, as the one who measures reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def count(self) -> int:
        """Count the stamps."""
        return self.path.stat().st_size // _RECORD.size

    def read(self, first: int) -> list[Stamp]:
        """Return the stamps from the `first` on, in the order in which they came."""
        content = self.path.read_bytes()[first * _RECORD.size :]
        return [Stamp(number, at / 1e9) for number, at in _RECORD.iter_unpack(content)]

    def wait_for(self, count: int, *, timeout: float, look: float = _LOOK) -> None:
        """Wait until there are so many. Raises `TimeoutError` when there is no new one for `timeout` seconds."""
        seen, until = -1, 0.0
        while (now := self.count()) < count:
            if now > seen:
                seen, until = now, time.monotonic() + timeout
            elif time.monotonic() > until:
                raise TimeoutError(f"{now} of {count} sagas ended, and none for {timeout:g} s")
            time.sleep(look)
