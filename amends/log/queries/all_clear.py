"""Whether a look for trouble that finds none is an all-clear: a log with sagas, and workers that live."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from celery import Celery

from amends.definition.states import LIVE
from amends.log.liveness import DEAD_AFTER
from amends.log.queries.cause_groups import count_sagas
from amends.log.queries.listing import find_sagas, has_sagas
from amends.log.queries.query import Query
from amends.log.saga_log import log_of

MOST_READ: Final = 10_000
"""Live sagas that are looked at for paused ones, those first that are longest in their status."""

_NAMED: Final = 3


@dataclass(frozen=True, kw_only=True)
class Oversight:
    """Who looks after the sagas of a log, and what an operator keeps back."""

    has_sagas: bool  #: Whether the log has or had any; one without may be another than is meant.
    workers: int  #: Live ones.
    paused: int  #: Paused sagas among the `MOST_READ` that were looked at.
    paused_is_cut: bool  #: Whether there were more sagas to look at.
    paused_ids: Sequence[str]  #: Of some of them.

    @property
    def is_clear(self) -> bool:
        """Whether a log in which no saga is stuck needs nobody."""
        return self.has_sagas and self.workers > 0


def oversee(app: Celery) -> Oversight:
    """Look whether anybody works on the sagas of a log, and which are paused. Raises `LogUnavailable`."""
    query = Query(statuses=frozenset(LIVE), paused=True)
    paused = count_sagas(app, query, most_looked_at=MOST_READ)
    some = find_sagas(app, query, limit=_NAMED).summaries if paused.count else ()
    beats = log_of(app).workers.read_heartbeats()
    return Oversight(
        has_sagas=has_sagas(app),
        workers=sum(beat.age <= DEAD_AFTER for beat in beats),
        paused=paused.count,
        paused_is_cut=paused.is_cut,
        paused_ids=[summary.id for summary in some],
    )
