"""The indexes of all shards as one: sagas by the time at which they came to their status."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final, Self

from amends.definition.states import SagaStatus
from amends.log.store import Store

_FIRST_CHUNK: Final = 4
_LARGEST_CHUNK: Final = 256


@dataclass(frozen=True, kw_only=True)
class Indexed:
    """A saga as an index, by this key, has it: in this status since `at`, in ms."""

    at: int
    id: str
    status: SagaStatus
    index: str

    @property
    def key(self) -> tuple[int, bytes]:
        """What it is sorted by, as in Redis."""
        return self.at, self.id.encode()


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A place in a listing: of sagas that came to their status by `until`, after `last`; times are in ms."""

    newest_first: bool
    until: int
    last: tuple[int, str] | None = None

    @classmethod
    def first(cls, store: Store, *, newest_first: bool, ago: float) -> Self:
        """Begin a listing of what has not moved for `ago` seconds. Raises `LogUnavailable`."""
        seconds, micros = store.read(lambda client: client.time())
        now = seconds * 1000 + micros // 1000
        return cls(newest_first=newest_first, until=now - round(ago * 1000))

    @classmethod
    def read(cls, text: str, *, newest_first: bool) -> Self:
        """Read what `text` wrote, for a listing in this order. Raises `ValueError`."""
        try:
            newest, until, at, saga_id = json.loads(
                urlsafe_b64decode(text + "=" * (-len(text) % 4))
            )
            cursor = cls(newest_first=bool(newest), until=int(until), last=(int(at), str(saga_id)))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{text!r} is no place in a listing: take it from the page before"
            ) from error
        if cursor.newest_first is not newest_first:
            order = "the newest" if cursor.newest_first else "the oldest"
            raise ValueError(
                f"{text!r} is a place in a listing with {order} first, and this one is not"
            )
        return cursor

    @property
    def text(self) -> str:
        """The cursor for the next page, to be passed on as it is."""
        data = json.dumps(
            [self.newest_first, self.until, *(self.last or ())], separators=(",", ":")
        )
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


@dataclass(kw_only=True)
class _Index:
    """One set of one shard, as far as it was read."""

    key: str
    status: SagaStatus
    cursor: Cursor
    overlap: int = 0  # so many have the time of the last one, and are read again
    is_read: bool = False

    def ask(self, pipeline: Any, chunk: int) -> int:
        """Ask for what follows; return how many are asked for."""
        cursor, count = self.cursor, chunk + self.overlap
        at = None if cursor.last is None else cursor.last[0]
        if cursor.newest_first:
            high = cursor.until if at is None else at
            pipeline.zrevrangebyscore(self.key, high, "-inf", 0, count, withscores=True)
        else:
            low = "-inf" if at is None else at
            pipeline.zrangebyscore(self.key, low, cursor.until, 0, count, withscores=True)
        return count

    def hear(self, answer: list[tuple[str, float]], asked: int) -> list[Indexed]:
        """Return what is new in an answer."""
        sagas = [
            Indexed(at=int(at), id=each, status=self.status, index=self.key) for each, at in answer
        ]
        new = [each for each in sagas if self.cursor.is_before(each)]
        self.is_read = len(sagas) < asked
        if sagas:
            self.overlap = sum(each.at == sagas[-1].at for each in sagas)
        if new:
            self.cursor = self.cursor.at(new[-1])
        return new


class IndexWalk:
    """A walk over the indexes from a cursor on, in its order, a few round trips whatever they hold."""

    def __init__(self, store: Store, statuses: Iterable[SagaStatus], cursor: Cursor) -> None:
        self._store = store
        self._newest_first = cursor.newest_first
        self._indexes = [
            _Index(key=store.index_key(shard, status), status=status, cursor=cursor)
            for shard in range(store.shards)
            for status in statuses
        ]
        self._read: list[Indexed] = []
        self._chunk = _FIRST_CHUNK

    def take(self, count: int) -> list[Indexed]:
        """Take the next sagas, fewer only at the end. Raises `LogUnavailable`."""
        while (known := self._known()) < count and (indexes := self._lagging(known)):
            self._read_on(indexes)
        taken, self._read = self._read[: min(known, count)], self._read[min(known, count) :]
        return taken

    def _open(self) -> list[_Index]:
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

    def _lagging(self, known: int) -> list[_Index]:
        """Choose what to read on from: indexes of which little is read beyond what is known."""
        ahead = Counter(each.index for each in self._read[known:])
        return [index for index in self._open() if ahead[index.key] <= self._chunk // 2]

    def _read_on(self, indexes: list[_Index]) -> None:
        def command(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            asked = [index.ask(pipeline, self._chunk) for index in indexes]
            return zip(indexes, pipeline.execute(), asked, strict=True)

        for index, answer, asked in self._store.read(command):
            self._read += index.hear(answer, asked)
        self._read.sort(key=lambda each: each.key, reverse=self._newest_first)
        self._chunk = min(self._chunk * 2, _LARGEST_CHUNK)
