"""Connections to Redis that are kept at hand for the two round trips of nearly every guarded call."""

from typing import Any, Final

import redis
from redis.exceptions import ConnectionError as Lost

Commands = tuple[tuple[str, ...], ...]

_MOST_PACKED: Final = 1000


class Lines:
    """Connections of a client's pool, taken for good: as many as threads ask at a time.

    After a call of 20 ms, when nothing of it is in the processor's caches, redis-py's way from a method to its
    socket (pool, checks, retries, metrics) takes longer than Redis does. This one goes past it.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._pool: Any = client.connection_pool
        self._idle: list[Any] = []  # append and pop are atomic
        self._packed: dict[Commands, Any] = {}

    def exchange(self, commands: Commands) -> list[Any]:
        """Send commands that may be repeated, and return the answers. Raises redis-py's errors."""
        try:
            line = self._idle.pop()
        except IndexError:
            line = self._pool.get_connection()
        try:
            packed = self._packed.get(commands) or self._pack(line, commands)
            try:
                return _once(line, packed, len(commands))
            except Lost:  # Redis may have closed it meanwhile, as it does to those that are idle
                return _once(line, packed, len(commands))
        finally:
            self._idle.append(line)

    def _pack(self, line: Any, commands: Commands) -> Any:
        """Keep what is sent again and again as it is sent: a breaker's two requests, until it opens."""
        if len(self._packed) >= _MOST_PACKED:
            self._packed.clear()
        packed = self._packed[commands] = line.pack_commands(commands)
        return packed


def _once(line: Any, packed: Any, count: int) -> list[Any]:
    is_done = False
    try:
        line.send_packed_command(packed)
        answers = [line.read_response() for _ in range(count)]
        is_done = True
    finally:
        if not is_done:  # what is still to be read must not be taken for another answer
            line.disconnect()
    return answers
