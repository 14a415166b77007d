"""Where a bulk run has its sagas from: a query, page by page, or a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from celery import Celery
from celery.app import app_or_default

from amends.log.queries.listing import find_sagas
from amends.log.queries.query import Query
from amends.log.queries.summary import SagaSummary
from amends.saga.bulk import ActName, Target


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Sagas to act on next."""

    targets: Sequence[Target]
    before: str | None  #: Place from which this batch is read.
    after: str | None  #: Place behind it.
    is_last: bool = False
    reason: str | None = None  #: Why it could not be read.


class Source(Protocol):
    """Gives sagas, batch by batch."""

    after: str | None  #: Place from which the next batch is read; None at the beginning.
    count: int | None  #: How many sagas it has; None if only reading them tells.

    def take(self, count: int) -> Batch:
        """Return the next sagas, `count` at most; fewer not only at the end. Raises `LogUnavailable`."""


def is_exact(act: ActName, query: Query) -> bool:
    """Return whether a saga has to be just as the query found it; else its status has to be the same."""
    return act in ("retry", "skip") or query.step is not None


class QuerySource:
    """The sagas that a query finds, page by page.

    Sagas that come to their status after the first page was read are not among them, so that a run ends, and acts on none
    that is stuck again. What was acted on may leave the listing, or stay in it: the place is a time and an id.

    act: what is done to them; it decides whether a saga that moved after its page was read is left alone.
    query: which ones. One by search fields takes those that were started before.
    after: place to begin from, as `Progress.after` says.
    app: by default the current one.
    """

    count: int | None = None

    def __init__(
        self, act: ActName, query: Query, *, after: str | None = None, app: Celery | None = None
    ) -> None:
        self.after = after
        self._query = query
        self._is_exact = is_exact(act, query)
        self._app = app or app_or_default()

    def take(self, count: int) -> Batch:
        """Return the next sagas. Raises `LogUnavailable`, and ``ValueError`` for a place of another listing."""
        before = self.after
        page = find_sagas(self._app, self._query, limit=count, after=before)
        if page.after is not None:
            self.after = page.after
        return Batch(
            targets=[self._target(each) for each in page.summaries],
            before=before,
            after=page.after,
            is_last=page.after is None,
        )

    def _target(self, summary: SagaSummary) -> Target:
        return Target(id=summary.id, seen=summary.events if self._is_exact else summary.status)


class TargetSource:
    """Named sagas, in their order. There is no place to go on from: the same run again does each once, by its `act_id`."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.after: str | None = None
        self.count: int | None = len(targets)
        self._targets = targets
        self._taken = 0

    def take(self, count: int) -> Batch:
        """Return the next sagas."""
        begin, self._taken = self._taken, min(self._taken + count, len(self._targets))
        is_last = self._taken == len(self._targets)
        targets = self._targets[begin : self._taken]
        return Batch(targets=targets, before=None, after=None, is_last=is_last)
