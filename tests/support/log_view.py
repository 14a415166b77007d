"""A saga log from below: its Redis, its keys and its scripts, for tests to look at and to change."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from amends.backend.client import Client
from amends.backend.cluster import primaries_of
from amends.errors import LogUnavailable
from amends.log.keys import ROOT
from amends.log.saga_log import SagaLog
from amends.log.store import Store

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
