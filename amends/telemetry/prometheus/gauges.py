"""The present state of the log, the circuit breakers and the broker, as metrics."""

from celery import Celery

from amends.breaker.circuits import circuits
from amends.breaker.states import CircuitState
from amends.dispatch.broker import queue_lengths
from amends.dispatch.routing import queues_in_use
from amends.log.liveness import DEAD_AFTER
from amends.log.saga_log import SagaLog
from amends.telemetry.prometheus import catalogue
from amends.telemetry.prometheus.families import Families


def add_readings(families: Families, log: SagaLog) -> None:
    """Add how many sagas wait, for how long, who lives, and how the log's Redis does. Raises `LogUnavailable`."""
    readings = log.read_gauges()
    families.add(catalogue.DUE, readings.due)
    families.add(catalogue.SWEEP_LAG, readings.sweep_lag)
    for status, seconds in readings.oldest.items():
        families.add(catalogue.OLDEST, seconds, status)
    beats = log.workers.read_heartbeats()
    families.add(catalogue.WORKERS, sum(beat.age <= DEAD_AFTER for beat in beats))
    if readings.memory is not None:
        families.add(catalogue.MEMORY_USED, readings.memory.used)
        families.add(catalogue.MEMORY_LIMIT, readings.memory.limit)


def add_breakers(families: Families, log: SagaLog) -> None:
    """Add the circuit breakers that are defined in this process, of each worker where it has its own.

    Raises `LogUnavailable`.
    """
    for breaker in circuits(log.workers.live_nodes()):
        snapshot = breaker.snapshot()
        for state in CircuitState:
            families.add(catalogue.BREAKER_STATE, snapshot.state is state, breaker.name, state)
        families.add(catalogue.BREAKER_RETRY_AFTER, snapshot.retry_after, breaker.name)
        families.add(catalogue.BREAKER_FAILURES, snapshot.failures, breaker.name)
        families.add(catalogue.BREAKER_OPENINGS, snapshot.opens, breaker.name)
        families.add(catalogue.BREAKER_LATE_RESULTS, snapshot.late, breaker.name)


def add_queues(families: Families, app: Celery) -> None:
    """Add how long the app's queues are. Raises kombu's ``OperationalError``."""
    for queue, length in queue_lengths(app, queues_in_use(app)).items():
        families.add(catalogue.QUEUE_MESSAGES, length, queue)
