"""What needs a person, read from the log alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from celery import Celery

from amends.cli.formatting import duration
from amends.console.views.circuits import are_away
from amends.definition.states import SagaStatus
from amends.diagnosis.deployment.destinations import destinations_here
from amends.log.heartbeats import Heartbeat
from amends.log.liveness import DEAD_AFTER
from amends.log.queries.gauges import Readings
from amends.log.saga_log import log_of
from amends.operations import CauseGroups, find_causes

LOOKED_AT: Final = 1_000
"""Stuck sagas that the page reads for their causes, some 100 ms; on demand it reads all."""

_NEARLY_FULL: Final = 0.85  # of maxmemory, as the doctor warns
_LATE: Final = 60.0  # seconds after which some worker should have looked


@dataclass(frozen=True, kw_only=True)
class Banner:
    """Something that stands still for all: what, what to do, and the page that says more."""

    what: str
    do: str
    page: str
    is_error: bool = True


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What needs a person. `stuck` sagas in all, of which some were read for their causes."""

    causes: CauseGroups
    stuck: int
    has_sagas: bool
    banners: list[Banner]

    @classmethod
    def read(cls, app: Celery, *, most_looked_at: int) -> "Needs":
        """Read it. Raises `LogUnavailable`."""
        log = log_of(app)
        counts = [words for words in log.read_counters().items() if words[0][0] == "sagas"]
        beats = [each for each in log.workers.read_heartbeats() if each.age <= DEAD_AFTER]
        return cls(
            causes=find_causes(app, most_looked_at=most_looked_at),
            stuck=sum(n for words, n in counts if words[2] == SagaStatus.STUCK),
            has_sagas=bool(counts),
            banners=[*_banners(app, beats, log.read_gauges())],
        )


def _banners(app: Celery, beats: list[Heartbeat], readings: Readings) -> Iterator[Banner]:
    if not beats:
        yield Banner(
            what="No worker is alive: nothing goes on.",
            do="Start workers; if they run, let them write to this saga log.",
            page="workers",
        )
    else:
        yield from _unconsumed(app, beats)
    memory = readings.memory
    if memory and memory.limit and memory.used > _NEARLY_FULL * memory.limit:
        yield Banner(
            what=f"The saga log is nearly full: {memory.used / memory.limit:.0%} of maxmemory.",
            do="Give it more memory, or a shorter amends_retention. When it is full, no saga begins and none goes on.",
            page="workers",
        )
    if readings.due and readings.sweep_lag > _LATE and beats:
        yield Banner(
            what=f"{readings.due:,} sagas are due for a sweep, the first since {duration(readings.sweep_lag)}.",
            do="See what the workers are busy with, or start more.",
            page="workers",
            is_error=False,
        )
    if away := are_away(app):
        yield Banner(
            what=f"Calls are kept away from {', '.join(away)}.",
            do="See when a call finds out whether the service is back, and who waits.",
            page="circuits",
            is_error=False,
        )


def _unconsumed(app: Celery, beats: list[Heartbeat]) -> Iterator[Banner]:
    """Name the queues of this app's activities that no live worker consumes, if all tell what they consume."""
    consumed: set[str] = set()
    for beat in beats:
        if beat.queues is None:
            return
        consumed |= beat.queues
    wanted = {each.queue for each in destinations_here(app) if each.queue and not each.error}
    for queue in sorted(wanted - consumed):
        yield Banner(
            what=f"No live worker consumes the queue {queue}: what goes to it stands still.",
            do=f"Start a worker with --queues {queue}.",
            page="doctor",
        )
