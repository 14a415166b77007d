"""Connections to Redis that are kept at hand for the round trips of nearly every step and guarded call."""

from typing import Any, Final

import redis
from redis.exceptions import ConnectionError as Lost

Commands = tuple[tuple[str, ...], ...]

_MOST_PACKED: Final = 1000
_NAME: Final = (
    () if redis.VERSION >= (5, 3) else ("EVALSHA",)
)  # which a pool asked for, and warns of today


class Lines:
    """Connections of a client's pool, taken for good: as many as threads ask at a time.

    After a call of 20 ms, when nothing of it is in the processor's caches, redis-py's way from a method to its
    socket (pool, checks, retries, metrics) takes longer than Redis does. This one goes past it.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client: Any = client
        self._idle: list[Any] = []  # append and pop are atomic
        self._packed: dict[Commands, Any] = {}

    def exchange(self, commands: Commands) -> list[Any]:
        """Send commands that may be repeated, and return the answers. Raises redis-py's errors."""
        line = self._take()
        try:
            packed = self._packed.get(commands) or self._pack(line, commands)
            try:
                return _once(line, packed, len(commands))
            except Lost:  # Redis may have closed it meanwhile, as it does to those that are idle
                return _once(line, packed, len(commands))
        finally:
            self._idle.append(line)

    def ask(self, *command: Any) -> Any:
        """Send a command, again as often as the client would, and return the answer. Raises redis-py's errors."""
        line = self._take()
        try:
            packed = line.pack_command(*command)
            [answer] = line.retry.call_with_retry(lambda: _once(line, packed, 1), _try_again)
            return answer
        finally:
            self._idle.append(line)

    def _take(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return self._client.connection_pool.get_connection(*_NAME)

    def _pack(self, line: Any, commands: Commands) -> Any:
        """Keep what is sent again and again as it is sent: a breaker's two requests, until it opens."""
        if len(self._packed) >= _MOST_PACKED:
            self._packed.clear()
        packed = self._packed[commands] = line.pack_commands(commands)
        return packed


def is_traced(client: redis.Redis) -> bool:
    """Tell whether a client is not redis-py's own: a library that traces calls wraps it, and would miss the call."""
    execute: Any = client.execute_command
    return execute.__module__ != "redis.client" or hasattr(execute, "__wrapped__")


def _try_again(_: Exception) -> None:
    """Connect anew, which a connection does by itself."""


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
