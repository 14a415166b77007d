"""Connections to Redis that are kept at hand for the round trips of nearly every step."""

from typing import Any, Final
from weakref import WeakKeyDictionary

import redis

_NAME: Final = (
    () if redis.VERSION >= (5, 3) else ("EVALSHA",)
)  # which a pool asked for, and warns of today


class Lines:
    """Connections of a client's pool, taken for good: as many as threads ask at a time.

    After a call of 20 ms, when nothing of it is in the processor's caches, redis-py's way from a method to its
    socket (pool, checks, retries, metrics) takes longer than Redis does. This one goes past it.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._pool: Any = client.connection_pool
        self._idle: list[Any] = []  # append and pop are atomic

    def ask(self, *command: Any) -> Any:
        """Send a command, again as often as the client would, and return the answer. Raises redis-py's errors."""
        line = self._take()
        try:
            packed = line.pack_command(*command)
            return line.retry.call_with_retry(lambda: _once(line, packed), _try_again)
        finally:
            self._idle.append(line)

    def _take(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return _line_of(self._pool)


_lines: WeakKeyDictionary[redis.Redis, Lines] = WeakKeyDictionary()


def new_line(client: redis.Redis) -> Any:
    """Take a connection of a client's pool for good. Raises redis-py's errors."""
    return _line_of(client.connection_pool)


def lines_of(client: redis.Redis) -> Lines:
    """Return the lines of a client, which all that share it share: its pool has no more than so many."""
    return _lines.setdefault(client, Lines(client))


def is_traced(client: redis.Redis) -> bool:
    """Tell whether a client is not redis-py's own: a library that traces calls wraps it, and would miss the call."""
    execute: Any = client.execute_command
    return execute.__module__ != "redis.client" or hasattr(execute, "__wrapped__")


def _line_of(pool: Any) -> Any:
    return pool.get_connection(*_NAME)


def _try_again(_: Exception) -> None:
    """Connect anew, which a connection does by itself."""


def _once(line: Any, packed: Any) -> Any:
    is_done = False
    try:
        line.send_packed_command(packed)
        answer = line.read_response()
        is_done = True
    finally:
        if not is_done:  # what is still to be read must not be taken for another answer
            line.disconnect()
    return answer
