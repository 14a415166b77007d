"""What scripts and Python both go by. A Lua file takes one by ``--! constant <NAME>``."""

from collections.abc import Sequence
from typing import Final

LOST_AFTER: Final = 60.0
"""Seconds after which the first message of a record is presumed lost; each further one has twice as long."""

LOST_AFTER_AT_MOST: Final = 600.0
"""The longest such time, in seconds."""

SOONER: Final = 6
"""How many times sooner a message is presumed lost where its queue is empty."""

TIMED: Final = 2**52
"""What a saga that waits in the log, and not for a message, has added to its due time, and in its index to its last move: they are after all others, and counted apart."""

SAGA_BOUNDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)
"""Bounds of the histogram of sagas' durations, in seconds."""

ATTEMPT_BOUNDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Bounds of the histogram of attempts' durations, in seconds."""

QUEUE_BOUNDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)
"""Bounds of the histogram of messages' times in their queues, in seconds."""

_VALUES: Final[dict[str, float | Sequence[float]]] = {
    "LOST_AFTER": round(LOST_AFTER * 1000),
    "LOST_AFTER_AT_MOST": round(LOST_AFTER_AT_MOST * 1000),
    "SOONER": SOONER,
    "TIMED": TIMED,
    "SAGA_BOUNDS": SAGA_BOUNDS,
    "ATTEMPT_BOUNDS": ATTEMPT_BOUNDS,
    "QUEUE_BOUNDS": QUEUE_BOUNDS,
}


def lua_local(name: str) -> str:
    """Write a constant as a Lua local: times in ms, a sequence as its numbers in a text, parted by blanks."""
    value = _VALUES[name]
    if isinstance(value, int):
        return f"local {name} = {value}"
    assert isinstance(value, Sequence)  # noqa: S101 - each number is whole
    return f"local {name} = '{' '.join(f'{each:g}' for each in value)}'"
