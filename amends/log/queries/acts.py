"""Reads of the list of acts: a Redis user that may only read can do them all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from celery import Celery

from amends.backend.settings import settings_of
from amends.log.acts.act import Act
from amends.log.queries.listing import store_of

MOST_LOOKED_AT: Final = 10_000
"""Acts that one page looks through for those that fit."""

_FIRST: Final = 20  # acts of each shard that a page asks for at first
_LARGEST: Final = 640
_CLOCKS_DIFFER: Final = 60_000  # ms, of the nodes of a cluster at most

_Found = tuple[int, str]  # when, in ms, and the entry


@dataclass(frozen=True, kw_only=True)
class ActQuery:
    """Which acts: those that fit all that is given.

    since: seconds before now that are looked at; None for all that the list keeps.
    by: the operator, as the act names them.
    act: ``retry``, ``open`` and so on.
    saga_id: id of the saga; a bulk act does not name its sagas, their histories name it.
    saga: name of a definition: acts on its sagas, one or many.
    """

    since: float | None = None
    by: str | None = None
    act: str | None = None
    saga_id: str | None = None
    saga: str | None = None

    def fits(self, act: Act) -> bool:
        """Tell whether an act is one of those."""
        saga = act.bulk.filter.get("saga") if act.bulk else act.saga
        pairs = (
            (self.by, act.by),
            (self.act, act.act),
            (self.saga_id, act.saga_id),
            (self.saga, saga),
        )
        return all(wanted in (None, found) for wanted, found in pairs)


@dataclass(frozen=True, kw_only=True)
class ActPage:
    """A page of acts, the newest first. `after` is where the next page begins, None if there is none.

    `is_cut` tells whether it ends because it looked through `MOST_LOOKED_AT` acts, `now` is when it was read, in seconds since
    1970 by the log's clock.
    """

    acts: Sequence[Act]
    now: float
    after: str | None
    is_cut: bool


class _Cursor(NamedTuple):
    """A place in the list: the time of the last act that was looked at, and how many of that millisecond were."""

    at: int
    passed: int

    @classmethod
    def read(cls, text: str) -> "_Cursor":
        at, dash, passed = text.partition("-")
        if not (dash and at.isdecimal() and passed.isdecimal()):
            raise ValueError(
                f"{text!r} is no place in a list of acts: take what a page before gave"
            )
        return cls(int(at), int(passed))

    def beyond(self, at: int) -> "_Cursor":
        """Return the place behind the next act."""
        return _Cursor(at, self.passed + 1 if at == self.at else 1)


def find_acts(
    app: Celery, query: ActQuery | None = None, *, limit: int = 50, after: str | None = None
) -> ActPage:
    """Return a page of what operators did to the sagas, circuits and schedules of an app, the newest first.

    query: which acts; all that the list keeps by default.
    limit: acts of the page at most.
    after: where the page begins, as the page before gave it.

    Over all pages each act comes once. Raises `LogUnavailable`, `ConfigurationError`, and ``ValueError`` for an `after` that no
    page gave.
    """
    query = query or ActQuery()
    walk = _Walk(app, query.since, None if after is None else _Cursor.read(after))
    found: list[Act] = []
    for looked, act in enumerate(walk, start=1):
        if query.fits(act):
            found.append(act)
        if len(found) == limit or looked == MOST_LOOKED_AT:
            break
    has_more = next(walk.ahead, None) is not None
    place = f"{walk.cursor.at}-{walk.cursor.passed}" if has_more else None
    is_cut = has_more and len(found) < limit
    return ActPage(acts=walk.told(found), now=walk.now, after=place, is_cut=is_cut)


class _Walk:
    """The acts of all shards, the newest first, from a place on."""

    def __init__(self, app: Celery, since: float | None, cursor: _Cursor | None) -> None:
        self._store = store = store_of(app)
        self._keys = [*map(store.acts_key, range(store.shards)), store.acts_keys[0]]
        kept_for = settings_of(app).acts_retention
        self.now, _ = store.read_with_time(self._keys[-1], lambda _: None)
        self._oldest = round((self.now - min(since or kept_for, kept_for)) * 1000)
        later = round(self.now * 1000) + _CLOCKS_DIFFER
        self.cursor = cursor or _Cursor(later, 0)
        self.ahead = self._entries()

    def __iter__(self) -> Iterator[Act]:
        for at, entry in self.ahead:
            self.cursor = self.cursor.beyond(at)
            yield Act.read(entry, at)

    def told(self, acts: Sequence[Act]) -> Sequence[Act]:
        """Return these acts, of those on many sagas with how far they are."""
        ids = [act.id for act in acts if act.bulk]
        if not ids:
            return acts
        key = self._store.acts_keys[1]
        texts = self._store.read(lambda client: client.hmget(key, ids))
        progress = dict(zip(ids, texts, strict=True))
        return [act.at_progress(progress.get(act.id), now=self.now) for act in acts]

    def _entries(self) -> Iterator[_Found]:
        """Yield the entries behind the cursor.

        Of each shard as many are asked for at a time; what is older than the last of one that may have more waits for more of it.
        """
        top, passed, some = self.cursor.at, self.cursor.passed, _FIRST
        while True:
            size = some + passed
            pages = self._read(top, size)
            horizon = max((page[-1][0] for page in pages if len(page) == size), default=-1)
            found = [each for page in pages for each in page if each[0] > horizon]
            yield from sorted(found, reverse=True)[passed:]
            if horizon < 0:
                return
            passed = max(0, passed - len(found))
            top, some = horizon, min(2 * some, _LARGEST) if found else 2 * some

    def _read(self, top: int, some: int) -> list[list[_Found]]:
        def ask(pipeline: Any) -> None:
            for key in self._keys:
                pipeline.zrevrangebyscore(key, top, self._oldest, 0, some, withscores=True)

        _, pages = self._store.read_with_time(self._keys[-1], ask)
        return [[(int(at), entry) for entry, at in page] for page in pages]
