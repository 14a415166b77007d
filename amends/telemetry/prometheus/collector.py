"""The collector: it reads everything anew each time Prometheus asks."""

import logging
import time
from collections.abc import Iterator

from celery import Celery
from kombu.exceptions import OperationalError
from prometheus_client import Metric as Family
from prometheus_client.registry import Collector

from amends.backend.settings import settings_of
from amends.errors import ConfigurationError, LogUnavailable, OutboxUnavailable
from amends.log.saga_log import log_of
from amends.outbox.backlog import read_backlog
from amends.outbox.table import Backlog
from amends.telemetry.prometheus import catalogue
from amends.telemetry.prometheus.counters import add_counted
from amends.telemetry.prometheus.families import Families
from amends.telemetry.prometheus.gauges import (
    add_breakers,
    add_outbox,
    add_queues,
    add_readings,
    add_schedules,
)

_logger = logging.getLogger(__name__)


class SagaCollector(Collector):
    """All metrics of an app's sagas, for a registry of `prometheus_client`.

    It keeps nothing: the log counts, and this reads. What it takes does not grow with the number of sagas.
    With the log, the broker or the outbox away the rest is shown, and ``amends_log_up``, ``amends_broker_up`` or
    ``amends_outbox_up`` is 0.
    Raises `ConfigurationError`.
    """

    def __init__(self, app: Celery) -> None:
        log_of(app)  # what is wrong with the settings is said now, and not to Prometheus
        self._app = app

    def describe(self) -> Iterator[Family]:
        """Name the metrics without reading anything: a registry asks at once."""
        return iter(Families())

    def collect(self) -> Iterator[Family]:
        """Read everything."""
        began = time.perf_counter()
        families = Families()
        families.add(catalogue.LOG_UP, self._add_log(families))
        if settings_of(self._app).outbox_url is not None:
            families.add(catalogue.OUTBOX_UP, self._add_outbox(families))
        families.add(catalogue.BROKER_UP, self._add_broker(families))
        families.add(catalogue.SCRAPE_DURATION, time.perf_counter() - began)
        return iter(families)

    def _add_log(self, families: Families) -> bool:
        log = log_of(self._app)
        try:
            add_counted(families, log.read_counters())
            add_readings(families, log)
            add_schedules(families, log)
        except (LogUnavailable, ConfigurationError) as error:
            _logger.warning("a scrape without the saga log: %s", error)
            return False
        try:
            add_breakers(families, log)
        except (LogUnavailable, ConfigurationError) as error:
            # Breakers leave Redis alone for a while after an outage.
            _logger.warning("a scrape without the circuit breakers: %s", error)
        return True

    def _add_outbox(self, families: Families) -> bool:
        try:
            add_outbox(families, read_backlog(self._app) or Backlog())
        except (OutboxUnavailable, ConfigurationError) as error:
            _logger.warning("a scrape without the outbox: %s", error)
            return False
        return True

    def _add_broker(self, families: Families) -> bool:
        try:
            add_queues(families, self._app)
        except OperationalError as error:
            _logger.warning("a scrape without the broker: %s", error)
            return False
        return True
