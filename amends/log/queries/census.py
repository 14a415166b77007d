"""The log as a whole, for people: how many sagas are where, since when, and who works on them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from celery import Celery

from amends.definition.states import LIVE, SagaStatus
from amends.log.heartbeats import Heartbeat
from amends.log.liveness import DEAD_AFTER
from amends.log.queries.gauges import Readings
from amends.log.queries.listing import Query, find_sagas
from amends.log.saga_log import log_of


@dataclass(frozen=True, kw_only=True)
class Census:
    """How many sagas are where.

    `counts` has them by definition and status. `standing` counts live ones by status, definition and the record that
    they stand at: of each status the `most` that are there longest, which are not all where it `is_cut`. `workers` have
    the heartbeats of those that are alive.
    """

    counts: Mapping[tuple[str, SagaStatus], int]
    standing: Mapping[tuple[SagaStatus, str, str], int]
    most: int
    is_cut: bool
    readings: Readings
    workers: Sequence[Heartbeat]

    def total(self, status: SagaStatus) -> int:
        """Count the sagas in a status."""
        return sum(count for (_, where), count in self.counts.items() if where is status)


def take_census(app: Celery, *, most: int = 500) -> Census:
    """Count sagas, in as much time whatever has ended. Raises `LogUnavailable`."""
    log = log_of(app)
    standing: Counter[tuple[SagaStatus, str, str]] = Counter()
    is_cut = False
    for status in LIVE:
        page = find_sagas(app, Query(statuses=frozenset({status})), limit=most)
        is_cut = is_cut or page.after is not None
        standing.update(
            (summary.status, summary.saga, summary.record)
            for summary in page.summaries
            if summary.record
        )
    return Census(
        counts={
            (words[1], SagaStatus(words[2])): count
            for words, count in log.read_counters().items()
            if words[0] == "sagas" and count
        },
        standing=standing,
        most=most,
        is_cut=is_cut,
        readings=log.read_gauges(),
        workers=[beat for beat in log.workers.read_heartbeats() if beat.age <= DEAD_AFTER],
    )
