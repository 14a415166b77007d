"""Connections to Redis that are kept at hand for the two requests of nearly every guarded call."""

import os
import threading
import weakref
from typing import Any, Final

import redis
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import RedisError

from amends.backend.connection import new_connection

Commands = tuple[tuple[str, ...], ...]

_MOST_PACKED: Final = 1000


class ReportingConnections:
    """Connections past redis-py's layers, as those of `amends.backend.connection`: as many as threads ask at a time.

    What is reported is sent at once, and its answer is read before anything else of this process is sent, or
    along with the next request on the same connection. So Redis sees it first, whichever thread sends what follows.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._connections: list[_Connection] = []
        self._idle: list[_Connection] = []  # append and pop are atomic
        self._packed: dict[Commands, list[bytes]] = {}
        _all.add(self)

    def exchange(self, commands: Commands) -> list[Any]:
        """Send commands that may be repeated, and return the answers. Raises redis-py's errors."""
        return self._send(commands, len(commands))

    def report(self, command: tuple[str, ...]) -> None:
        """Send a command that may be repeated, and leave its answer to whoever sends next. Raises redis-py's errors."""
        self._send((command,), 0)

    def settle(self, *, but: "_Connection | None" = None) -> None:
        """Wait until Redis has taken all that was reported. Raises redis-py's errors."""
        for line in self._connections:
            if line.report and line is not but:
                line.settle()

    def forget(self) -> None:
        """Leave them to the process that this one was forked from."""
        self._connections, self._idle = [], []

    def _send(self, commands: Commands, awaited: int) -> list[Any]:
        try:
            line = self._idle.pop()
        except IndexError:
            line = _Connection(new_connection(self._client))
            self._connections.append(line)
        try:
            self.settle(but=line)
            packed = self._packed.get(commands) or self._pack(line, commands)
            return line.exchange(packed, awaited)
        finally:
            self._idle.append(line)

    def _pack(self, line: "_Connection", commands: Commands) -> list[bytes]:
        """Keep what is sent again and again as it is sent: a breaker's two requests, until it opens."""
        if len(self._packed) >= _MOST_PACKED:
            self._packed.clear()
        packed: list[bytes] = line.connection.pack_commands(commands)
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
        try:
            if report and not connection.is_connected:
                packed = report.packed + packed
            connection.send_packed_command(packed)
            if report:
                connection.read_response()
                self.report = None
            answers = [connection.read_response() for _ in range(awaited)]
            self.report = new
            is_done = True
        finally:
            if not is_done:  # what is still to be read must not be taken for another answer
                connection.disconnect()
        return answers


_all: "weakref.WeakSet[ReportingConnections]" = weakref.WeakSet()


def _forget_all() -> None:
    for connections in list(_all):
        connections.forget()


os.register_at_fork(after_in_child=_forget_all)
