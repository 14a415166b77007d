"""A saga log from below: its Redis, its keys and its scripts, for tests to look at and to change."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from redis.exceptions import ResponseError

from amends.backend.client import Client
from amends.backend.cluster import primaries_of
from amends.backend.scripts import SCRIPTS
from amends.errors import LogUnavailable
from amends.log.keys import ROOT
from amends.log.saga_log import SagaLog
from amends.log.store import Store
from amends.testing.clock import Clock

_TIME: Final = """
local server = redis
local redis = {{call = function(name, ...) if name == 'TIME' then return {{'{seconds}', '{micros}'}} end return server.call(name, ...) end,
  pcall = server.pcall}}
"""

Calls = Sequence[tuple[list[str], list[Any]]]


class LogView(Store):
    """The keys of a log, the client that reads and writes them, and scripts by name."""

    def __init__(self, client: Client, *, shards: int = 64, root: str = ROOT) -> None:
        super().__init__(client, shards=shards, root=root)

    def saga_key(self, saga_id: str) -> str:
        """Return the key of a saga's hash."""
        return self.keys_of(saga_id)[0]

    def history_key(self, saga_id: str) -> str:
        """Return the key of a saga's history, a list."""
        return self.keys_of(saga_id)[1]

    def due_key_of(self, saga_id: str) -> str:
        """Return the key of the due sagas of a saga's shard, a sorted set by time in milliseconds."""
        return self.due_key(self.shard_of(saga_id))

    def due_at(self, saga_id: str) -> float | None:
        """Return when a saga is due, in milliseconds; None if it is not."""
        at: float | None = self.client.zscore(self.due_key_of(saga_id), saga_id)
        return at

    def forget_workers(self) -> None:
        """Let no worker be known, and no queue: those of other tests have just ended."""
        watermarks = [self.watermarks_key(shard) for shard in range(self.shards)]
        for key in (self.workers_key, *watermarks, *keys_like(self.client, self.probe_key("*"))):
            self.client.delete(key)

    def make_due(self, saga_id: str, at: float = 0.0) -> None:
        """Let a saga be due at a time in milliseconds: by default long ago."""
        self.client.zadd(self.due_key_of(saga_id), {saga_id: at})


def keys_like(client: Any, pattern: str) -> list[str]:
    """Return the keys that match a pattern, on every node."""
    return [key for node in primaries_of(client) for key in node.keys(pattern)]


def view_of(log: SagaLog) -> LogView:
    """Return the view of a log: the one place where tests know what a `SagaLog` keeps for itself."""
    return LogView(log._store.client, shards=log._store.shards, root=log._store._root)


@contextmanager
def lost_answers(log: SagaLog, name: str, *, times: int) -> Iterator[list[Calls]]:
    """Lose the first answers to a script, which Redis runs; yields what it is called with, keys and arguments, for each time."""
    store: Any = log._store
    send: Callable[[str, Calls], list[Any]] = store._send
    sent: list[Calls] = []

    def lose(of: str, calls: Calls) -> list[Any]:
        answers = send(of, calls)
        if of == name:
            sent.append(calls)
            if len(sent) <= times:
                raise LogUnavailable("no answer")
        return answers

    store._send = lose
    try:
        yield sent
    finally:
        store._send = send


def on_clock(log: SagaLog, clock: Clock) -> SagaLog:
    """Let the scripts of a log, and no other reader of its Redis, tell the time of this clock. Returns the log."""
    store: Any = log._store

    def send(name: str, calls: Any) -> list[Any]:
        store._prepare(name)
        seconds, micros = (int(each) for each in clock.redis_time())
        text = _TIME.format(seconds=seconds, micros=micros) + SCRIPTS[name]
        return [_answer(store.client, text, keys, given) for keys, given in calls]

    store._send = send
    return log


def _answer(client: Any, text: str, keys: list[str], given: list[Any]) -> Any:
    try:
        return client.eval(text, len(keys), *keys, *given)
    except ResponseError as error:  # as in a pipeline, the script's own
        return error
