"""Connections to Redis that are kept at hand for the round trips of nearly every step."""

from typing import Any, Final
from weakref import WeakKeyDictionary

import redis

_NAME: Final = (
    () if redis.VERSION >= (5, 3) else ("EVALSHA",)
)  # which a pool asked for, and warns of today


class KeptConnections:
    """Connections of a client's pool, taken for good: as many as threads ask at a time.

    After a call of 20 ms, when nothing of it is in the processor's caches, redis-py's way from a method to its
    socket (pool, checks, retries, metrics) takes longer than Redis does. This one goes past it.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._pool: Any = client.connection_pool
        self._idle: list[Any] = []  # append and pop are atomic

    def ask(self, *command: Any) -> Any:
        """Send a command, again as often as the client would, and return the answer. Raises redis-py's errors."""
        connection = self._take()
        try:
            packed = connection.pack_command(*command)
            return connection.retry.call_with_retry(lambda: _once(connection, packed), _try_again)
        finally:
            self._idle.append(connection)

    def _take(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return _connection_of(self._pool)


_kept: WeakKeyDictionary[redis.Redis, KeptConnections] = WeakKeyDictionary()


def new_connection(client: redis.Redis) -> Any:
    """Take a connection of a client's pool for good. Raises redis-py's errors."""
    return _connection_of(client.connection_pool)


def kept_connections_of(client: redis.Redis) -> KeptConnections:
    """Return the lines of a client, which all that share it share: its pool has no more than so many."""
    return _kept.setdefault(client, KeptConnections(client))


def is_traced(client: redis.Redis) -> bool:
    """Tell whether a client is not redis-py's own: a library that traces calls wraps it, and would miss the call."""
    execute: Any = client.execute_command
    return execute.__module__ != "redis.client" or hasattr(execute, "__wrapped__")


def _connection_of(pool: Any) -> Any:
    return pool.get_connection(*_NAME)


def _try_again(_: Exception) -> None:
    """Connect anew, which a connection does by itself."""


def _once(connection: Any, packed: Any) -> Any:
    is_done = False
    try:
        connection.send_packed_command(packed)
        answer = connection.read_response()
        is_done = True
    finally:
        if not is_done:  # what is still to be read must not be taken for another answer
            connection.disconnect()
    return answer
