"""The present state of the log, the circuit breakers and the broker, as metrics."""

from collections import Counter
from collections.abc import Iterable
from math import inf

from celery import Celery

from amends.breaker.circuits import circuits
from amends.breaker.states import CircuitState
from amends.dispatch.broker import queue_lengths
from amends.dispatch.routing import queues_in_use
from amends.log.heartbeats import MOST_TOLD, Heartbeat
from amends.log.liveness import DEAD_AFTER
from amends.log.saga_log import SagaLog, log_of
from amends.outbox.backlog import read_backlog
from amends.outbox.table import Backlog
from amends.telemetry.prometheus import archive_catalogue, breaker_metrics, catalogue
from amends.telemetry.prometheus.families import Families


def add_readings(families: Families, log: SagaLog) -> None:
    """Add how many sagas wait, for how long, who lives, and how the archive and the log's Redis do. Raises `LogUnavailable`."""
    readings = log.read_gauges()
    families.add(catalogue.DUE, readings.due)
    families.add(catalogue.SWEEP_LAG, readings.sweep_lag)
    families.add(catalogue.WAITING, readings.waiting)
    families.add(archive_catalogue.REMEMBERED, readings.remembered)
    families.add(archive_catalogue.ARCHIVED, readings.archive.sagas)
    families.add(archive_catalogue.FAILURES, readings.archive.failures)
    families.add(archive_catalogue.FAILING, readings.archive.failing_for)
    for status, seconds in readings.oldest.items():
        families.add(catalogue.OLDEST, seconds, status)
    alive = [beat for beat in log.workers.read_heartbeats() if beat.age <= DEAD_AFTER]
    families.add(catalogue.WORKERS, len(alive))
    for name, count in sorted(_messages_in_hand(alive).items()):
        families.add(catalogue.WORKER_MESSAGES, count, name)
    if readings.memory is not None:
        families.add(catalogue.MEMORY_USED, readings.memory.used)
        families.add(catalogue.MEMORY_LIMIT, readings.memory.limit)


def add_paused(families: Families, log: SagaLog, names: Iterable[str]) -> None:
    """Add how many sagas are paused, and for how long. Raises `LogUnavailable`.

    Nothing is added while an earlier release may have paused one that no worker has found yet.

    names: the sagas that there are, of which a 0 is told, too.
    """
    paused = log.read_paused()
    if not paused.is_complete:
        return
    counts = {**dict.fromkeys(names, 0), **Counter(each.saga for each in paused.sagas)}
    for saga, count in sorted(counts.items()):
        families.add(catalogue.PAUSED, count, saga)
    first = paused.next_deadline
    left = inf if first is None or first.time_left is None else first.time_left
    families.add(catalogue.PAUSED_OLDEST, paused.oldest)
    families.add(catalogue.PAUSED_DEADLINE, left)


def _messages_in_hand(beats: Iterable[Heartbeat]) -> Counter[str]:
    """Count the messages that workers of one name have in hand; one that has too many to tell counts `MOST_TOLD`."""
    counts: Counter[str] = Counter()
    for beat in beats:
        name = beat.node.partition("@")[0]
        counts[name] += MOST_TOLD if beat.messages is None else len(beat.messages)
    return counts


def add_breakers(app: Celery, families: Families) -> None:
    """Add the circuit breakers that are defined in this process, of each worker where it has its own.

    Raises `LogUnavailable`, also for a while after an outage, in which breakers leave Redis alone.
    """
    for breaker in circuits(log_of(app).workers.live_nodes()):
        snapshot = breaker.snapshot()
        for state in CircuitState:
            families.add(breaker_metrics.STATE, snapshot.state is state, breaker.name, state)
        families.add(breaker_metrics.RETRY_AFTER, snapshot.retry_after, breaker.name)
        families.add(breaker_metrics.FAILURES, snapshot.failures, breaker.name)
        families.add(breaker_metrics.OPENINGS, snapshot.opens, breaker.name)
        families.add(breaker_metrics.LATE_RESULTS, snapshot.late, breaker.name)
        families.add(breaker_metrics.REFUSED, snapshot.refused, breaker.name)


def add_schedules(families: Families, log: SagaLog) -> None:
    """Add the schedules of the log. Raises `LogUnavailable`."""
    found = log.schedules.read_schedules()
    running = log.schedules.read_running(found)
    for state in found:
        for result in ("fired", "late", "skipped", "missed", "failed"):
            families.add(catalogue.TICKS, state.counts[result], state.name, result)
        states = {
            "running": state.name in running,
            "paused": state.paused_at is not None,
            "left": state.is_left,
        }
        for name, holds in states.items():
            families.add(catalogue.SCHEDULE_STATE, holds, state.name, name)


def add_outbox(app: Celery, families: Families) -> None:
    """Add what stands in the outbox. Raises `OutboxUnavailable`, `ConfigurationError`."""
    backlog = read_backlog(app) or Backlog()
    families.add(catalogue.OUTBOX_STARTS, backlog.waiting, "waiting")
    families.add(catalogue.OUTBOX_STARTS, backlog.failing, "failing")
    families.add(catalogue.OUTBOX_OLDEST, backlog.oldest_waiting, "waiting")
    families.add(catalogue.OUTBOX_OLDEST, backlog.oldest_failing, "failing")


def add_queues(app: Celery, families: Families) -> None:
    """Add how long the app's queues are. Raises kombu's ``OperationalError``."""
    for queue, length in queue_lengths(app, queues_in_use(app)).items():
        families.add(catalogue.QUEUE_MESSAGES, length, queue)
