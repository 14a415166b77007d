"""Connections to Redis that are kept at hand for the round trips of nearly every step.

After a call of 20 ms, when nothing of it is in the processor's caches, redis-py's way from a method to its
socket (pool, checks, retries, metrics) takes longer than Redis does. This one goes past it, by names that redis-py
has had since 5.2 and does not document as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import redis
from redis.exceptions import ResponseError
from redis.retry import Retry
from redis.sentinel import SentinelManagedConnection

from amends.backend.fast_path import Shortcut
from amends.backend.sentinel import find_primary, leads_elsewhere

try:
    import hiredis
except ImportError:  # redis-py does without it too
    hiredis = None  # type: ignore[assignment]

_NAME: Final = (
    () if redis.VERSION >= (5, 3) else ("EVALSHA",)
)  # which a pool asked for, and warns of today


def connection_needs() -> Iterator[tuple[object, str]]:
    """Name what kept connections need of redis-py."""
    yield redis.ConnectionPool, "get_connection"
    yield Retry, "call_with_retry"
    for name in (
        "pack_command",
        "pack_commands",
        "send_packed_command",
        "read_response",
        "disconnect",
    ):
        yield redis.Connection, name


_ALL_TYPES: Final[tuple[Any, ...]] = ("EVALSHA", "\u00fc", b"\xff", 1, 0.1)
"""A command that has an argument of each type that the log sends."""

_shortcut = Shortcut(
    "requests to the saga log", instead="redis-py's client", needs=connection_needs
)


class KeptConnections:
    """Connections of a client's pool, taken for good: as many as threads ask at a time."""

    def __init__(self, client: redis.Redis) -> None:
        self._client: Any = client
        self._idle: list[_Kept] = []  # append and pop are atomic

    def ask(self, *command: Any) -> Any:
        """Send a command, again as often as the client would, and return the answer. Raises redis-py's errors.

        Where a library traces the client, or redis-py is not as it was known, the client is asked.
        """
        if is_traced(self._client) or not _shortcut.is_on:
            return self._client.execute_command(*command)
        try:
            return self._ask(command)
        except Exception as error:  # noqa: BLE001 - whatever a redis-py that is not known raises
            _shortcut.give_up(error)
            return self._client.execute_command(*command)

    def _ask(self, command: tuple[Any, ...]) -> Any:
        kept = self._take()
        try:
            packed = kept.pack(*command)
            again = kept.connection.retry.call_with_retry
            return again(lambda: kept.exchange(packed), _try_again)
        finally:
            self._idle.append(kept)

    def _take(self) -> _Kept:
        try:
            return self._idle.pop()
        except IndexError:
            return _Kept(new_connection(self._client))

    def disconnect(self) -> None:
        """Close what no thread uses; each is connected anew when it is asked."""
        for kept in self._idle.copy():
            try:
                self._idle.remove(kept)
            except ValueError:  # a thread has taken it
                continue
            kept.close()
            self._idle.append(kept)


class _Kept:
    """One connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.pack = packer_of(connection)
        self._is_open = True
        self._is_named = isinstance(connection, SentinelManagedConnection)

    def exchange(self, packed: Any) -> Any:
        """Send a packed command, and return the answer. Raises redis-py's errors."""
        connection = self.connection
        if self._is_named and leads_elsewhere(connection):
            self.close()
        try:
            if self._is_named and not self._is_open:
                find_primary(connection)
            connection.send_packed_command(packed)
            answer = connection.read_response()
        except ResponseError:  # an answer, read whole
            raise
        except BaseException:  # what is still to be read must not be taken for another answer
            self.close()
            raise
        self._is_open = True
        return answer

    def close(self) -> None:
        """Close it, until it is used."""
        self._is_open = False
        self.connection.disconnect()


def packer_of(connection: Any) -> Callable[..., Any]:
    """Return what packs a connection's commands: hiredis itself where it packs them as the connection does.

    redis-py asks it too, after a look at each argument for types that the log sends none of, which takes longer.
    """
    if hasattr(hiredis, "pack_command"):
        packed = hiredis.pack_command(_ALL_TYPES)
        if b"".join(connection.pack_command(*_ALL_TYPES)) == packed:
            return _pack
    return connection.pack_command  # type: ignore[no-any-return]


def _pack(*command: Any) -> list[bytes]:
    return [hiredis.pack_command(command)]


def new_connection(client: redis.Redis) -> Any:
    """Take a connection of a client's pool for good. Raises redis-py's errors."""
    pool: Any = client.connection_pool
    return pool.get_connection(*_NAME)


def asker(client: Any, *, fast_path: bool = True) -> Callable[..., Any]:
    """Return what sends a command to a client's Redis, perhaps twice, and returns the answer; it raises redis-py's errors.

    client: its kept connections are shared by all that ask by it, for its pool has no more than so many.
    fast_path: whether kept connections may be used.
    """
    if not fast_path:
        return partial(_ask_client, client)
    kept = vars(client)
    if _kept_as() not in kept:
        kept.setdefault(_kept_as(), KeptConnections(client))  # another thread may be here
    return kept[_kept_as()].ask  # type: ignore[no-any-return]


def connect_anew(client: Any) -> None:
    """Close a client's connections that no thread uses, kept ones too.

    A primary that was demoted keeps its connections, and the address may lead to another one meanwhile.
    """
    client.connection_pool.disconnect(inuse_connections=False)
    if kept := vars(client).get(_kept_as()):
        kept.disconnect()


def _kept_as() -> str:
    return f"amends_kept_connections_{os.getpid()}"  # a forked child gets its own


def _ask_client(client: Any, *command: Any) -> Any:
    """Ask a client by its method as it is now: a library that traces calls may wrap it later."""
    return client.execute_command(*command)


def is_traced(client: redis.Redis) -> bool:
    """Tell whether a client is not redis-py's own: a library that traces calls wraps it, and would miss the call."""
    return not is_original(client.execute_command, "redis.client")


def is_original(function: Any, module: str) -> bool:
    """Tell whether a function is the one of this module: a library that traces calls wraps it."""
    return function.__module__ == module and not hasattr(function, "__wrapped__")


def _try_again(_: Exception) -> None:
    """Connect anew, which a connection does by itself."""
