"""Connections to Redis that are kept at hand for the two requests of nearly every guarded call."""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import redis
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import RedisError
from redis.sentinel import SentinelManagedConnection

from amends.backend.connection import connect_anew, connection_needs, new_connection
from amends.backend.fast_path import Shortcut
from amends.backend.sentinel import find_primary, leads_elsewhere

T = TypeVar("T")
Commands = tuple[tuple[str, ...], ...]

_MOST_PACKED: Final = 1000

_shortcut = Shortcut(
    "requests of circuit breakers", instead="redis-py's client", needs=connection_needs
)


class Connections(Protocol):
    """How a breaker's plain commands, which may be repeated, reach Redis. Raises redis-py's errors."""

    def exchange(self, commands: Commands) -> list[Any]:
        """Send commands, and return the answers."""

    def report(self, command: tuple[str, ...]) -> None:
        """Send a command whose answer is of no use."""

    def settle(self) -> None:
        """Wait until Redis has taken all that was reported."""

    def connect_anew(self) -> None:
        """Close what no thread uses: Redis was demoted."""


def connections_to(client: redis.Redis, *, fast_path: bool = True) -> Connections:
    """Return the way to a client's Redis: past redis-py's layers, where `fast_path` and redis-py let it."""
    return ReportingConnections(client) if fast_path else ClientConnections(client)


class ClientConnections:
    """The client's own connections. What is reported is waited for: nothing is left to be settled."""

    def __init__(self, client: redis.Redis) -> None:
        self._client: Any = client

    def exchange(self, commands: Commands) -> list[Any]:
        """Send commands, and return the answers. Raises redis-py's errors."""
        with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute()
        return answers

    def report(self, command: tuple[str, ...]) -> None:
        """Send a command. Raises redis-py's errors."""
        self._client.execute_command(*command)

    def settle(self) -> None:
        """Nothing is under way."""

    def connect_anew(self) -> None:
        """Close what no thread uses: Redis was demoted."""
        connect_anew(self._client)


class ReportingConnections:
    """Connections past redis-py's layers, as those of `amends.backend.connection`: as many as threads ask at a time.

    What is reported is sent at once, and its answer is read before anything else of this process is sent, or
    along with the next request on the same connection. So Redis sees it first, whichever thread sends what follows.
    Where redis-py is not as it was known, the client's own connections are used: a guarded call never pays for that.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._plainly = ClientConnections(client)
        self._connections: list[_Connection] = []
        self._idle: list[_Connection] = []  # append and pop are atomic
        self._packed: dict[Commands, list[bytes]] = {}
        _all.add(self)

    def exchange(self, commands: Commands) -> list[Any]:
        """Send commands that may be repeated, and return the answers. Raises redis-py's errors."""
        answers = self._send(commands, len(commands))
        return self._plainly.exchange(commands) if answers is None else answers

    def report(self, command: tuple[str, ...]) -> None:
        """Send a command that may be repeated, and leave its answer to whoever sends next. Raises redis-py's errors."""
        if self._send((command,), 0) is None:
            self._plainly.report(command)

    def settle(self) -> None:
        """Wait until Redis has taken all that was reported. Raises redis-py's errors."""
        self._try(self._settle)

    def connect_anew(self) -> None:
        """Close what no thread uses: Redis was demoted. A report without an answer is sent again."""
        self._plainly.connect_anew()
        for connection in self._idle.copy():
            try:
                self._idle.remove(connection)
            except ValueError:  # a thread has taken it
                continue
            connection.close()
            self._idle.append(connection)

    def forget(self) -> None:
        """Leave them to the process that this one was forked from."""
        self._connections, self._idle = [], []

    def _send(self, commands: Commands, awaited: int) -> list[Any] | None:
        """Send commands and return so many answers; None where the client has to be asked."""
        return self._try(self._exchange, commands, awaited)

    def _try(self, way: Callable[..., T], *arguments: Any) -> T | None:
        if not _shortcut.is_on:
            return None
        try:
            return way(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever a redis-py that is not known raises
            _shortcut.give_up(error)
            return None

    def _settle(self, but: "_Connection | None" = None) -> None:
        for each in self._connections:
            if each.report and each is not but:
                each.settle()

    def _exchange(self, commands: Commands, awaited: int) -> list[Any]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = _Connection(new_connection(self._client))
            self._connections.append(connection)
        try:
            self._settle(connection)
            packed = self._packed.get(commands) or self._pack(connection, commands)
            return connection.exchange(packed, awaited)
        finally:
            self._idle.append(connection)

    def _pack(self, connection: "_Connection", commands: Commands) -> list[bytes]:
        """Keep what is sent again and again as it is sent: a breaker's two requests, until it opens."""
        if len(self._packed) >= _MOST_PACKED:
            self._packed.clear()
        packed: list[bytes] = connection.connection.pack_commands(commands)
        self._packed[commands] = packed
        return packed


class _Report:
    """What was sent without waiting for the answer, and the error that came instead of it."""

    def __init__(self, packed: list[bytes]) -> None:
        self.packed = packed
        self.error: Exception | None = None


class _Connection:
    """One connection. At most one report on it has no answer yet."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.report: _Report | None = None
        self._is_open = False  # redis-py tells it since 8.0; nobody else uses this connection
        self._is_named = isinstance(connection, SentinelManagedConnection)
        self._lock = threading.Lock()

    def exchange(self, packed: list[bytes], awaited: int) -> list[Any]:
        """Send a request, and return so many answers; where none is awaited, it is a report."""
        with self._lock:
            return self._try_twice(packed, awaited, None if awaited else _Report(packed))

    def settle(self) -> None:
        """Wait for the answer to the report."""
        report = self.report
        with self._lock:
            if self.report and self.report is report:
                self._try_twice([], 0, None)
            elif report and report.error:  # who held the lock has waited for it in vain
                raise report.error

    def close(self) -> None:
        """Close it; it is connected anew when it is used."""
        with self._lock:
            self._is_open = False
            self.connection.disconnect()

    def _try_twice(self, packed: list[bytes], awaited: int, new: _Report | None) -> list[Any]:
        try:
            try:
                return self._try(packed, awaited, new)
            except Lost:  # Redis may have closed it meanwhile, as it does to those that are idle
                return self._try(packed, awaited, new)
        except (RedisError, OSError) as error:
            if self.report:  # goes the way of all that is reported while Redis is away
                self.report.error, self.report = error, None
            raise

    def _try(self, packed: list[bytes], awaited: int, new: _Report | None) -> list[Any]:
        connection, report, is_done = self.connection, self.report, False
        if self._is_named and leads_elsewhere(connection):
            self._is_open = False
            connection.disconnect()
        try:
            if not self._is_open:
                if self._is_named:
                    find_primary(connection)
                packed = report.packed + packed if report else packed
            connection.send_packed_command(packed)
            if report:
                connection.read_response()
                self.report = None
            answers = [connection.read_response() for _ in range(awaited)]
            self.report = new
            is_done = self._is_open = True
        finally:
            if not is_done:  # what is still to be read must not be taken for another answer
                self._is_open = False
                connection.disconnect()
        return answers


_all: "weakref.WeakSet[ReportingConnections]" = weakref.WeakSet()


def _forget_all() -> None:
    for connections in list(_all):
        connections.forget()


os.register_at_fork(after_in_child=_forget_all)
