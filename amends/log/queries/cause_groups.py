"""The causes of many sagas: how many stand for each, since when, and how many there are in all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from celery import Celery

from amends.definition.states import SagaStatus
from amends.log.queries.causes import Cause
from amends.log.queries.listing import find_sagas
from amends.log.queries.query import Query
from amends.log.queries.summary import SagaSummary

MOST_READ: Final = 200_000
"""Sagas that are read at most to tell their causes: some 20 s of the log's time."""

_AT_ONCE: Final = 1_000

STUCK: Final = Query(statuses=frozenset({SagaStatus.STUCK}))
"""The sagas that wait for an operator."""


@dataclass(frozen=True, kw_only=True)
class CauseGroup:
    """The sagas that have one cause."""

    cause: Cause
    count: int
    oldest: SagaSummary  #: The one that is longest in its status.


@dataclass(frozen=True, kw_only=True)
class CauseGroups:
    """The causes of all sagas that a query finds, the most frequent first."""

    groups: Sequence[CauseGroup]
    total: int  #: Sagas in these groups.
    looked_at: int  #: Sagas that were read for it.
    is_cut: bool  #: Whether more were left unread: each count is at least so many.


def find_causes(
    app: Celery,
    query: Query = STUCK,
    *,
    most_looked_at: int = MOST_READ,
    told: Callable[[int], object] = lambda _: None,
) -> CauseGroups:
    """Group the sagas that a query finds by what went wrong, and where.

    query: by default all that are stuck.
    most_looked_at: sagas that are read at most. Memory depends on how many causes there are, not on how many sagas.
    told: called now and then with how many were read.

    Raises `LogUnavailable`.
    """
    counts: dict[Cause, int] = {}
    oldest: dict[Cause, SagaSummary] = {}
    looked_at, after, goes_on = 0, None, True
    while goes_on and looked_at < most_looked_at:
        most = min(_AT_ONCE, most_looked_at - looked_at)
        page = find_sagas(app, query, limit=most, after=after, most_looked_at=most)
        for summary in page.summaries:
            cause = Cause.of(summary)
            counts[cause] = counts.get(cause, 0) + 1
            first = oldest.setdefault(cause, summary)
            if summary.since < first.since:
                oldest[cause] = summary
        looked_at, after = looked_at + page.looked_at, page.after
        goes_on = after is not None
        told(looked_at)
    groups = [CauseGroup(cause=each, count=n, oldest=oldest[each]) for each, n in counts.items()]
    groups.sort(key=lambda group: (-group.count, group.oldest.since, group.oldest.id))
    return CauseGroups(
        groups=groups, total=sum(counts.values()), looked_at=looked_at, is_cut=goes_on
    )


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many sagas a query finds."""

    count: int
    is_cut: bool  #: Whether it is at least so many: more were left unread.


def count_sagas(
    app: Celery,
    query: Query,
    *,
    after: str | None = None,
    most_looked_at: int = MOST_READ,
    told: Callable[[int], object] = lambda _: None,
) -> Count:
    """Count the sagas that a query finds.

    after: place in the listing to count from, by default its beginning.
    most_looked_at: sagas that are read at most.
    told: called now and then with how many were counted.

    Raises what `find_sagas` does.
    """
    count, looked_at, goes_on = 0, 0, True
    while goes_on and looked_at < most_looked_at:
        most = min(_AT_ONCE, most_looked_at - looked_at)
        page = find_sagas(app, query, limit=most, after=after, most_looked_at=most)
        count, looked_at, after = (
            count + len(page.summaries),
            looked_at + page.looked_at,
            page.after,
        )
        goes_on = after is not None
        told(count)
    return Count(count=count, is_cut=goes_on)
