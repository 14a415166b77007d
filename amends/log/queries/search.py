"""Sagas by the search fields of their definitions."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from pydantic_core import from_json

from amends.definition.search_fields import entries_for, parted
from amends.errors import ConfigurationError, LogUnavailable, UnknownSaga
from amends.log.queries.index_walk import LATEST, Cursor, Index, Indexed, IndexWalk
from amends.log.store import Store

_LARGEST_BATCH: Final = 1_000


@dataclass(kw_only=True)
class EntryIndex:
    """The sagas of a shard with one entry, as far as they were read."""

    of_shard: str
    entry: str
    cursor: Cursor
    is_read: bool = False

    @property
    def key(self) -> str:
        """Name of the index: several are in one sorted set."""
        return f"{self.of_shard} {self.entry}"

    def ask(self, pipeline: Any, chunk: int) -> int:
        """Ask for what follows; return how many are asked for."""
        last = self.cursor.last and f"({self.entry}{self.cursor.last[0]}:{self.cursor.last[1]}"
        low, high = _bounds(self.entry, self.cursor.until)
        if self.cursor.newest_first:
            pipeline.zrevrangebylex(self.of_shard, last or high, low, 0, chunk)
        else:
            pipeline.zrangebylex(self.of_shard, last or low, high, 0, chunk)
        return chunk

    def hear(self, answer: list[str], asked: int) -> list[Indexed]:
        """Return what is new in an answer."""
        places = [each.removeprefix(self.entry).partition(":") for each in answer]
        new = [Indexed(at=int(at), id=each, status=None, index=self.key) for at, _, each in places]
        self.is_read = len(new) < asked
        if new:
            self.cursor = self.cursor.at(new[-1])
        return new


def _bounds(entry: str, until: int = LATEST) -> tuple[str, str]:
    """Return where an entry's sagas that were started by `until` begin and end in a search index. ``;`` is what comes after ``:``."""
    return f"[{entry}", f"({entry}{until};"


class SagaSearch:
    """A search for the sagas that have all of these values, by name of a search field. Its methods raise `LogUnavailable`.

    Raises what `entries_for` does.
    """

    def __init__(self, store: Store, where: Sequence[tuple[str, object]]) -> None:
        self._store = store
        #: Of each field, the entries of which a saga that is found has one.
        self._wanted = [entries_for(name, value) for name, value in where]

    def walk(self, cursor: Cursor) -> IndexWalk:
        """Walk, in the order of their starts, over sagas that may be found: those with the rarest of the values."""
        indexes: list[Index] = [
            EntryIndex(of_shard=self._store.search_key(shard), entry=entry, cursor=cursor)
            for shard in range(self._store.shards)
            for entry in self._rarest
        ]
        return IndexWalk(self._store, indexes, newest_first=cursor.newest_first)

    @cached_property
    def _rarest(self) -> Sequence[str]:
        if len(self._wanted) == 1:
            return self._wanted[0]

        def count(client: Any) -> list[int]:
            pipeline = client.pipeline(transaction=False)
            for entries in self._wanted:
                for shard in range(self._store.shards):
                    for entry in entries:
                        pipeline.zlexcount(self._store.search_key(shard), *_bounds(entry))
            counts = iter(pipeline.execute())
            return [
                sum(next(counts) for _ in range(self._store.shards * len(entries)))
                for entries in self._wanted
            ]

        counts = self._store.read(count)
        return self._wanted[counts.index(min(counts))]

    def holding(
        self, found: Sequence[Indexed], *, saga: str | None = None, tidies: bool = False
    ) -> list[Indexed]:
        """Return those of the walk's sagas that have all values.

        saga: name of their definition, None for any.
        tidies: whether entries of sagas that are gone are taken off the index: a worker of an earlier release leaves those of
            a saga that it removes.
        """
        held, gone = [], []
        ids = [each.id for each in found]
        for each, (created, entries, name) in zip(found, self._read(ids), strict=True):
            if created != str(each.at):  # None, or that of a later saga under this id
                gone.append(each)
            elif saga in (None, name) and self._fits(entries):
                held.append(each)
        if gone and tidies:
            self._forget(gone)
        return held

    def finds(self, saga_id: str) -> bool:
        """Return whether a saga has all values."""
        ((_, entries, _),) = self._read([saga_id])
        return self._fits(entries)

    def _fits(self, entries: str | None) -> bool:
        own = parted(entries or "")
        return all(not own.isdisjoint(each) for each in self._wanted)

    def _read(self, saga_ids: Sequence[str]) -> list[tuple[str | None, str | None, str | None]]:
        def command(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for saga_id in saga_ids:
                pipeline.hmget(self._store.keys_of(saga_id)[0], "created", "search", "name")
            return pipeline.execute()

        answers: list[tuple[str | None, str | None, str | None]]
        answers = self._store.read(command) if saga_ids else []
        return answers

    def _forget(self, gone: Sequence[Indexed]) -> None:
        def command(client: Any) -> None:
            pipeline = client.pipeline(transaction=False)
            for each in gone:
                key, _, entry = each.index.partition(" ")
                pipeline.zrem(key, f"{entry}{each.at}:{each.id}")
            pipeline.execute()

        # Who may only read, or asks while the log is full or away, has found what there is all the same.
        with suppress(LogUnavailable, ConfigurationError):
            self._store.reach(command)


def find_ids(
    store: Store,
    where: Sequence[tuple[str, object]],
    *,
    saga: str | None = None,
    limit: int,
    after: str | None = None,
) -> list[str]:
    """Return the ids of sagas with all these values, the last started first, at most `limit`.

    saga: name of their definition, None for any.
    after: id of the last one of the page before.

    Raises what `SagaSearch` does, and `UnknownSaga` if the saga `after` is gone.
    """
    search = SagaSearch(store, where)
    cursor = Cursor(newest_first=True, until=LATEST, by_start=True)
    if after is not None:
        cursor = Cursor(newest_first=True, until=LATEST, last=_place(store, after), by_start=True)
    walk, found = search.walk(cursor), list[str]()
    size = min(limit, _LARGEST_BATCH)
    while len(found) < limit and (batch := walk.take(size)):
        found += [each.id for each in search.holding(batch, saga=saga, tidies=True)]
        size = min(2 * size, _LARGEST_BATCH)
    return found[:limit]


def _place(store: Store, saga_id: str) -> tuple[int, str]:
    created = store.read(lambda client: client.hget(store.keys_of(saga_id)[0], "created"))
    if created is None:
        raise UnknownSaga(saga_id)
    return int(created), saga_id


def known_fields(store: Store) -> frozenset[str] | None:
    """Return the search fields of all definitions in the log; None if it has no definition. Raises `LogUnavailable`."""

    def command(client: Any) -> Any:
        pipeline = client.pipeline(transaction=False)
        for shard in range(store.shards):
            pipeline.hgetall(store.definitions_key(shard))
        return pipeline.execute()

    plans = dict[str, str]()
    for each in store.read(command):
        plans |= each
    return frozenset(_fields(plans)) if plans else None


def _fields(plans: dict[str, str]) -> Iterator[str]:
    for digest, text in plans.items():
        if ":" not in digest:
            yield from from_json(text).get("search", ())
