"""The indexes of all shards as one: sagas by the time at which they came to their status, or were started."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final, Protocol, Self

from amends.definition.states import SagaStatus
from amends.log.keys import bases_of
from amends.log.store import Store, redis_now

LATEST: Final = 10**13 - 1
"""The last ms that a search index keeps in order, in the year 2286."""

_FIRST_CHUNK: Final = 4
_LARGEST_CHUNK: Final = 256


@dataclass(frozen=True, kw_only=True)
class Indexed:
    """A saga as an index has it: in this status since `at`, in ms; without one, started then."""

    at: int
    id: str
    status: SagaStatus | None
    index: str  #: Name of the index.

    @property
    def key(self) -> tuple[int, bytes]:
        """What it is sorted by, as in Redis."""
        return self.at, self.id.encode()


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A place in a listing: of sagas that came to their status by `until`, after `last`; times are in ms.

    by_start: whether the times are those of the sagas' starts, as in a search index.
    """

    newest_first: bool
    until: int
    last: tuple[int, str] | None = None
    by_start: bool = False

    @classmethod
    def first(cls, store: Store, *, newest_first: bool, ago: float) -> Self:
        """Begin a listing of what has not moved for `ago` seconds. Raises `LogUnavailable`."""
        until = store.read(redis_now) - round(ago * 1000)
        return cls(newest_first=newest_first, until=until)

    @classmethod
    def read(cls, text: str, *, newest_first: bool, by_start: bool = False) -> Self:
        """Read what `text` wrote, for a listing in this order. Raises `ValueError`."""
        try:
            newest, until, at, saga_id, *start = json.loads(
                urlsafe_b64decode(text + "=" * (-len(text) % 4))
            )
            last = (int(at), str(saga_id))
            cursor = cls(
                newest_first=bool(newest), until=int(until), last=last, by_start=bool(start)
            )
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{text!r} is no place in a listing: take it from the page before"
            ) from error
        if cursor.by_start is not by_start:
            order = "start" if cursor.by_start else "last move"
            raise ValueError(f"{text!r} is a place in a listing by {order}, and this one is not")
        if cursor.newest_first is not newest_first:
            order = "the newest" if cursor.newest_first else "the oldest"
            raise ValueError(
                f"{text!r} is a place in a listing with {order} first, and this one is not"
            )
        return cursor

    @property
    def text(self) -> str:
        """The cursor for the next page, to be passed on as it is."""
        parts = [self.newest_first, self.until, *(self.last or ()), *[True] * self.by_start]
        data = json.dumps(parts, separators=(",", ":"))
        return urlsafe_b64encode(data.encode()).decode().rstrip("=")

    def at(self, indexed: Indexed) -> Self:
        """Go on to this saga."""
        return replace(self, last=(indexed.at, indexed.id))

    def is_before(self, indexed: Indexed) -> bool:
        """Tell whether this saga comes after the place."""
        return indexed.key < self.key if self.newest_first else indexed.key > self.key

    @property
    def key(self) -> tuple[float, bytes]:
        """What the sagas before and after it are told by."""
        if self.last is None:
            return (inf if self.newest_first else -inf, b"")
        return self.last[0], self.last[1].encode()


class Index(Protocol):
    """An index of one shard, as far as it was read."""

    cursor: Cursor
    is_read: bool

    @property
    def key(self) -> str:
        """Name of the index among those of a walk."""

    def ask(self, pipeline: Any, chunk: int) -> int:
        """Ask for what follows; return how many are asked for."""

    def hear(self, answer: Any, asked: int) -> list[Indexed]:
        """Return what is new in an answer."""


@dataclass(kw_only=True)
class _StatusIndex:
    """An index of the sagas in a status, as far as it was read: of those whose times have the same added."""

    sorted_set: str
    base: int
    status: SagaStatus
    cursor: Cursor
    overlap: int = 0  # so many have the time of the last one, and are read again
    is_read: bool = False

    @property
    def key(self) -> str:
        """Name of the index: two may be in one sorted set."""
        return f"{self.sorted_set} {self.base}"

    def ask(self, pipeline: Any, chunk: int) -> int:
        """Ask for what follows; return how many are asked for."""
        cursor, count, base = self.cursor, chunk + self.overlap, self.base
        low, high = base, base + cursor.until
        if cursor.last is not None and cursor.newest_first:
            high = base + cursor.last[0]
        elif cursor.last is not None:
            low = base + cursor.last[0]
        if cursor.newest_first:
            pipeline.zrevrangebyscore(self.sorted_set, high, low, 0, count, withscores=True)
        else:
            pipeline.zrangebyscore(self.sorted_set, low, high, 0, count, withscores=True)
        return count

    def hear(self, answer: list[tuple[str, float]], asked: int) -> list[Indexed]:
        """Return what is new in an answer."""
        sagas = [
            Indexed(at=int(at) - self.base, id=each, status=self.status, index=self.key)
            for each, at in answer
        ]
        new = [each for each in sagas if self.cursor.is_before(each)]
        self.is_read = len(sagas) < asked
        if sagas:
            self.overlap = sum(each.at == sagas[-1].at for each in sagas)
        if new:
            self.cursor = self.cursor.at(new[-1])
        return new


class IndexWalk:
    """A walk over indexes from a cursor on, in its order, a few round trips whatever they hold."""

    def __init__(self, store: Store, indexes: Sequence[Index], *, newest_first: bool) -> None:
        self._store = store
        self._newest_first = newest_first
        self._indexes = indexes
        self._read: list[Indexed] = []
        self._chunk = _FIRST_CHUNK

    @classmethod
    def by_status(cls, store: Store, statuses: Iterable[SagaStatus], cursor: Cursor) -> Self:
        """Walk over the indexes of these statuses."""
        indexes = [
            _StatusIndex(
                sorted_set=store.index_key(shard, status), base=base, status=status, cursor=cursor
            )
            for shard in range(store.shards)
            for status in statuses
            for base in bases_of(status)
        ]
        return cls(store, indexes, newest_first=cursor.newest_first)

    def take(self, count: int) -> list[Indexed]:
        """Take the next sagas, fewer only at the end. Raises `LogUnavailable`."""
        while (known := self._known()) < count and (indexes := self._lagging(known)):
            self._read_on(indexes)
        taken, self._read = self._read[: min(known, count)], self._read[min(known, count) :]
        return taken

    def _open(self) -> list[Index]:
        return [index for index in self._indexes if not index.is_read]

    def _known(self) -> int:
        """Count what nothing can come before: what every index is read beyond."""
        lasts = [index.cursor.key for index in self._open()]
        if not lasts:
            return len(self._read)
        if self._newest_first:
            bound = max(lasts)
            return sum(each.key >= bound for each in self._read)
        bound = min(lasts)
        return sum(each.key <= bound for each in self._read)

    def _lagging(self, known: int) -> list[Index]:
        """Choose what to read on from: indexes of which little is read beyond what is known."""
        ahead = Counter(each.index for each in self._read[known:])
        return [index for index in self._open() if ahead[index.key] <= self._chunk // 2]

    def _read_on(self, indexes: list[Index]) -> None:
        def command(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            asked = [index.ask(pipeline, self._chunk) for index in indexes]
            return zip(indexes, pipeline.execute(), asked, strict=True)

        for index, answer, asked in self._store.read(command):
            self._read += index.hear(answer, asked)
        self._read.sort(key=lambda each: each.key, reverse=self._newest_first)
        self._chunk = min(self._chunk * 2, _LARGEST_CHUNK)
