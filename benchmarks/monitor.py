"""Commands that clients send to a Redis, by its ``MONITOR``; what scripts do inside is left out."""

import re
import threading
import time
import uuid
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import redis

from amends.backend.scripts import DIGESTS

CONNECTING: Final = frozenset({"CLIENT", "SELECT", "HELLO", "AUTH", "PING", "SCRIPT"})
# A worker sweeps, beats, and removes sagas that ended long ago.
_HOUSEKEEPING: Final = frozenset(
    {"TIME", "INFO", "ZRANGEBYSCORE"}
    | {DIGESTS[name] for name in ("take_due", "note_heartbeat", "keep_profile", "remove_saga")}
)
# And each process reads once how many shards there are, now and then what workers tell of themselves, and schedules.
_NOT_OF_SAGAS: Final = re.compile(
    r"amends:(\S+:)?(\{(workers|profiles)\}|\{\d+\}:schedule:|shards\b)"
)
_PATIENCE: Final = 10.0


class Command(NamedTuple):
    """One command as a client sent it."""

    database: int
    text: str

    @property
    def words(self) -> list[str]:
        """Its words, as far as they have no spaces in them."""
        return self.text.split()

    @property
    def name(self) -> str:
        """Its first word, in capitals."""
        return self.words[0].upper()


class Monitor:
    """Listens while its context is open. It slows Redis down: nothing is timed beside it."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client: Any = client
        # A connection that may hear nothing for longer than an answer may take.
        options = {**client.connection_pool.connection_kwargs, "socket_timeout": None}
        self._listener: Any = redis.Redis(connection_pool=redis.ConnectionPool(**options))
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._end = uuid.uuid4().hex
        self._marks: list[str] = []
        self.commands: list[Command] = []

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        if not self._listening.wait(_PATIENCE):
            raise TimeoutError("MONITOR was not answered")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hear what was sent until now, and no more."""
        self._client.echo(self._end)
        self._thread.join(_PATIENCE)

    def take(self) -> list[Command]:
        """Return what was sent since the last call."""
        mark = uuid.uuid4().hex
        self._client.echo(mark)
        until = time.monotonic() + _PATIENCE
        while mark not in self._marks:
            if time.monotonic() > until:
                raise TimeoutError("MONITOR lags behind")
            time.sleep(0.01)
        taken, self.commands = self.commands, []
        return taken

    def _listen(self) -> None:
        with self._listener.monitor() as monitor:
            self._listening.set()
            for line in monitor.listen():
                if line["client_type"] == "lua":
                    continue
                command = Command(int(line["db"]), line["command"])
                if command.name == "ECHO":
                    self._marks.append(command.words[1])
                    if self._marks[-1] == self._end:
                        return
                elif command.name not in CONNECTING:
                    self.commands.append(command)


def of_sagas(commands: list[Command], database: int) -> list[Command]:
    """Return what clients sent to the log in this database, but for a worker's housekeeping."""
    return [
        each
        for each in commands
        if each.database == database
        and _HOUSEKEEPING.isdisjoint((each.name, *each.words[1:2]))
        and not _NOT_OF_SAGAS.search(each.text)
    ]
