"""The installation: sagas by status, workers, queues, schedules and the doctor's findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from celery import Celery

from amends.cli.schedules.text import row
from amends.cli.table import Cell
from amends.definition.states import SagaStatus
from amends.log.queries.census import Census, take_census
from amends.log.saga_log import log_of
from amends.scheduling.definition import schedules

SCHEDULE_COLUMNS = (
    "saga",
    "when",
    "state",
    "next in",
    "last saga",
    "its status",
    "fired",
    "skipped",
    "missed",
)
_MOST_STANDING = 500


@dataclass(frozen=True, kw_only=True)
class Installation:
    """How an installation stands, by its log alone."""

    census: Census
    schedules: Sequence[tuple[str, Sequence[Cell | str]]]  #: Name and cells of each.

    @classmethod
    def read(cls, app: Celery) -> "Installation":
        """Read it. Raises `LogUnavailable`."""
        log = log_of(app)
        defined = {each.name: each for each in schedules()}
        found = log.schedules.read_schedules()
        rows = [row(log, each, defined.get(each.name)) for each in found]
        return cls(
            census=take_census(app, most=_MOST_STANDING),
            schedules=[(str(name), cells) for name, *cells in rows],
        )

    @property
    def counts(self) -> Mapping[SagaStatus, int]:
        """How many sagas are in each status."""
        return {status: self.census.total(status) for status in SagaStatus}

    @property
    def standing(self) -> Sequence[tuple[SagaStatus, str, str, int]]:
        """Where live sagas stand, first the stuck ones, then the most: status, saga, record and how many."""
        found = [(status, saga, at, n) for (status, saga, at), n in self.census.standing.items()]
        return sorted(
            found, key=lambda each: (each[0] is not SagaStatus.STUCK, -each[3], each[1:3])
        )

    @property
    def queues(self) -> Sequence[tuple[str, Sequence[str]]]:
        """The queues that live workers consume, each with the workers' names."""
        found: dict[str, list[str]] = {}
        for beat in self.census.workers:
            for queue in beat.queues or ():
                found.setdefault(queue, []).append(beat.node or "(unnamed)")
        return sorted(found.items())
