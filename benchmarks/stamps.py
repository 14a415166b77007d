"""When each saga came to its last step, noted by the process that ran it.

Eight bytes for the saga's number and eight for the time are appended to one file, at once. That costs the same few
microseconds in every contender, and sends nothing to the Redis under measurement.
"""

import os
import struct
import time
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

PLACE: Final = "BENCH_STAMPS"
"""The variable that names the file."""
_RECORD: Final = struct.Struct("<qq")


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
    """The file, read by the process that measures."""

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

    def wait_for(self, count: int, *, timeout: float, look: float = 0.01) -> None:
        """Wait for `count` stamps, looking every `look` seconds.

        Raises ``TimeoutError`` if no stamp comes for `timeout` seconds.
        """
        seen, until = -1, 0.0
        while (now := self.count()) < count:
            if now > seen:
                seen, until = now, time.monotonic() + timeout
            elif time.monotonic() > until:
                raise TimeoutError(f"{now} of {count} sagas ended, and none for {timeout:g} s")
            time.sleep(look)
