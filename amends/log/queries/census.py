"""A census of the log: sagas by definition, status and record, and the live workers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from celery import Celery

from amends.definition.paths import without_item
from amends.definition.states import LIVE, SagaStatus
from amends.log.heartbeats import Heartbeat
from amends.log.liveness import DEAD_AFTER
from amends.log.queries.gauges import Readings
from amends.log.queries.listing import find_sagas
from amends.log.queries.paused import PausedSagas
from amends.log.queries.query import Query
from amends.log.saga_log import log_of


@dataclass(frozen=True, kw_only=True)
class Census:
    """Counts of sagas."""

    counts: Mapping[tuple[str, SagaStatus], int]  #: All sagas by definition and status.
    #: Live ones by status, definition and present record, without its item.
    standing: Mapping[tuple[SagaStatus, str, str], int]
    waiting: Mapping[
        tuple[SagaStatus, str, str], int
    ]  #: How many of these wait for signals or a time there.
    most: int  #: Sagas of a status that `standing` counts: those longest in it.
    is_cut: bool  #: Whether `standing` lacks some for that.
    readings: Readings
    paused: PausedSagas
    workers: Sequence[Heartbeat]  #: Of live workers.

    def total(self, status: SagaStatus) -> int:
        """Count the sagas in a status."""
        return sum(count for (_, where), count in self.counts.items() if where is status)


def take_census(app: Celery, *, most: int = 500) -> Census:
    """Take a census; its time does not depend on how many sagas have ended.

    most: live sagas of a status whose records are counted.

    Raises `LogUnavailable`.
    """
    log = log_of(app)
    standing: Counter[tuple[SagaStatus, str, str]] = Counter()
    waiting: Counter[tuple[SagaStatus, str, str]] = Counter()
    is_cut = False
    for status in LIVE:
        page = find_sagas(app, Query(statuses=frozenset({status})), limit=most)
        is_cut = is_cut or page.after is not None
        for summary in page.summaries:
            if summary.record:
                where = (summary.status, summary.saga, without_item(summary.record))
                standing[where] += 1
                waiting[where] += summary.wanted is not None or summary.has_children
    return Census(
        counts={
            (words[1], SagaStatus(words[2])): count
            for words, count in log.read_counters().items()
            if words[0] == "sagas" and count
        },
        standing=standing,
        waiting=waiting,
        most=most,
        is_cut=is_cut,
        readings=log.read_gauges(),
        paused=log.read_paused(),
        workers=[beat for beat in log.workers.read_heartbeats() if beat.age <= DEAD_AFTER],
    )
