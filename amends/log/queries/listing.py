"""Search for sagas by a query, page by page, ordered by when they came to their status."""

import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from celery import Celery

from amends.backend.client import client_of
from amends.backend.settings import Settings, settings_of
from amends.definition.states import SagaStatus
from amends.log.queries.index_walk import LATEST, Cursor, Indexed, IndexWalk
from amends.log.queries.query import Query
from amends.log.queries.remembered_sagas import unknown_saga
from amends.log.queries.search import SagaSearch
from amends.log.queries.summary import SagaSummaries, SagaSummary
from amends.log.store import Store, redis_now

MOST_LOOKED_AT: Final = 10_000
"""Sagas that one page reads at most; a page with few matches ends early, with a cursor. An id that does not fit needs no reading."""
_LARGEST_BATCH: Final = 1_000
_IDS_COMPARED: Final = 1_000
_LIKENESS: Final = 0.9  # of 1: two letters changed places, or one is missing, in about ten


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of matching sagas."""

    summaries: Sequence[SagaSummary]
    after: str | None  #: Cursor of the next page, None at the end.
    looked_at: int  #: Sagas read for this page.
    is_cut: bool  #: Whether it ended early, having looked at the most sagas that it may.


def find_sagas(
    app: Celery,
    query: Query,
    *,
    limit: int = 50,
    after: str | None = None,
    most_looked_at: int = MOST_LOOKED_AT,
) -> Page:
    """Find sagas, `limit` at most, from where the page before says.

    No saga is listed twice over pages; one that moves after the first page was read is left out of those that
    follow. A page ends early after `most_looked_at` sagas. Raises `ValueError` where `after` is of no such listing, and `LogUnavailable`.
    """
    store = store_of(app)
    search = SagaSearch(store, query.where) if query.where else None
    if query.id is not None and not query.id.endswith("*"):
        return _page_of_one(store, query, query.id, search)
    cursor = _cursor(store, query, after)
    found: list[SagaSummary] = []
    looked_at = 0
    for indexed, summary in _look(store, query, search, cursor, limit):
        looked_at += query.fits_id(indexed.id)
        cursor = cursor.at(indexed)
        if summary is not None:
            found.append(summary)
        if len(found) == limit or looked_at == most_looked_at:
            break
    stopped = len(found) == limit or looked_at == most_looked_at
    goes_on = stopped and bool(_walk(store, query, search, cursor).take(1))
    return Page(
        summaries=found,
        after=cursor.text if goes_on else None,
        looked_at=looked_at,
        is_cut=goes_on and len(found) < limit,
    )


def _page_of_one(store: Store, query: Query, saga_id: str, search: SagaSearch | None) -> Page:
    is_found = search is None or search.finds(saga_id)
    summaries = SagaSummaries(store).summarize_sagas([saga_id] if is_found else [])
    fit = [summary for summary in summaries if summary and query.fits(summary)]
    return Page(summaries=fit, after=None, looked_at=1, is_cut=False)


def _cursor(store: Store, query: Query, after: str | None) -> Cursor:
    if after is not None:
        return Cursor.read(after, newest_first=query.newest_first, by_start=bool(query.where))
    if query.where:
        until = LATEST if query.newest_first else store.read(redis_now)
        return Cursor(newest_first=query.newest_first, until=until, by_start=True)
    return Cursor.first(store, newest_first=query.newest_first, ago=query.older_than)


def _walk(store: Store, query: Query, search: SagaSearch | None, cursor: Cursor) -> IndexWalk:
    return search.walk(cursor) if search else IndexWalk.by_status(store, query.statuses, cursor)


def summary_of(app: Celery, saga_id: str) -> SagaSummary:
    """Return the summary of one saga. Raises `UnknownSaga`, and `LogUnavailable`."""
    (summary,) = SagaSummaries(store := store_of(app)).summarize_sagas([saga_id])
    if summary is None:
        raise unknown_saga(store, saga_id)
    return summary


def has_sagas(app: Celery) -> bool:
    """Return whether the log has or had a saga: one that leaves it after its end leaves its counters.

    Raises `LogUnavailable`.
    """
    store = store_of(app)

    def command(client: Any) -> Any:
        pipeline = client.pipeline(transaction=False)
        for shard in range(store.shards):
            pipeline.exists(store.counters_key(shard))
        return pipeline.execute()

    return any(store.read(command))


def ids_like(app: Celery, saga_id: str, *, most: int = 3) -> list[str]:
    """Suggest ids for a mistyped one, among the sagas that moved last: with this prefix, or much alike.

    Raises `LogUnavailable`.
    """
    store = store_of(app)
    cursor = Cursor.first(store, newest_first=True, ago=0.0)
    ids = [each.id for each in IndexWalk.by_status(store, SagaStatus, cursor).take(_IDS_COMPARED)]
    longer = [each for each in ids if each.startswith(saga_id)]
    near = difflib.get_close_matches(saga_id, ids, n=most, cutoff=_LIKENESS)
    return list(dict.fromkeys([*longer[:most], *near]))[:most]


def store_of(app: Celery) -> Store:
    """Return the Redis of an app's saga log. Raises `ConfigurationError`."""
    return _store(settings_of(app), os.getpid())


@cache
def _store(settings: Settings, pid: int) -> Store:  # noqa: ARG001 - a forked child gets its own
    client = client_of(settings.backend)
    return Store(
        client,
        shards=settings.shards,
        root=settings.key_root,
        fast_path=settings.fast_path,
    )


def _look(
    store: Store, query: Query, search: SagaSearch | None, cursor: Cursor, limit: int
) -> Iterator[tuple[Indexed, SagaSummary | None]]:
    """Yield the indexed sagas, each with its summary if it matches."""
    walk, summaries, size = _walk(store, query, search, cursor), SagaSummaries(store), limit
    while batch := walk.take(min(size, _LARGEST_BATCH)):
        fit = [each for each in batch if query.fits_id(each.id)]
        if search:
            fit = search.holding(fit)
        wanted = [each.id for each in fit]
        if query.asks_for_headers:
            # Most do not fit, and a header costs the log a tenth of a summary.
            headers = zip(wanted, summaries.read_headers(wanted), strict=True)
            wanted = [
                saga_id for saga_id, header in headers if header and query.fits_header(header)
            ]
        found = dict(zip(wanted, summaries.summarize_sagas(wanted), strict=True))
        held = set(fit)
        for each in batch:
            summary = found.get(each.id) if each in held else None
            if summary is not None and each.status not in (None, summary.status):
                summary = None  # it has moved since the index was read
            yield each, summary if summary and query.fits(summary) else None
        size *= 2
