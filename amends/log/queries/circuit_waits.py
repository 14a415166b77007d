"""How many sagas wait for each circuit breaker."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from celery import Celery

from amends.definition.states import SagaStatus
from amends.log.queries.listing import MOST_LOOKED_AT, find_sagas
from amends.log.queries.query import Query

WAITING: Final = frozenset({SagaStatus.RUNNING, SagaStatus.COMPENSATING})
"""The statuses in which a saga may wait for a circuit."""
_PAGE: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class CircuitWaits:
    """The sagas that wait for circuit breakers, as far as they were looked at."""

    counts: Mapping[str, int]  #: By the circuit's name.
    looked_at: int
    is_cut: bool  #: Whether there are more sagas than were looked at.

    @classmethod
    def read(cls, app: Celery, *, most: int = MOST_LOOKED_AT) -> Self:
        """Look at `most` running and compensating sagas, those first that are longest in their status.

        Raises `LogUnavailable`.
        """
        counts: Counter[str] = Counter()
        looked_at, after = 0, None
        while looked_at < most:
            left = min(_PAGE, most - looked_at)
            page = find_sagas(app, Query(statuses=WAITING), limit=left, after=after)
            looked_at, after = looked_at + page.looked_at, page.after
            counts.update(each for summary in page.summaries for each in summary.circuits)
            if after is None:
                break
        return cls(counts=counts, looked_at=looked_at, is_cut=after is not None)
