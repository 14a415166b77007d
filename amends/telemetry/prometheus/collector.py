"""The collector: it reads everything anew each time Prometheus asks."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError
from prometheus_client import Metric as Family
from prometheus_client.registry import Collector

from amends.backend.settings import settings_of
from amends.errors import LogUnavailable, SagaError
from amends.log.saga_log import log_of
from amends.telemetry.prometheus import catalogue
from amends.telemetry.prometheus.families import Families
from amends.telemetry.prometheus.gauges import add_breakers, add_outbox, add_queues
from amends.telemetry.prometheus.log_metrics import add_log
from amends.telemetry.prometheus.looks import Source

PATIENCE: Final = 2.5
"""Seconds after which a scrape is answered: within 3 s, with what its own work takes on a busy machine."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Scrape:
    """What one scrape found. It iterates over all metrics."""

    families: Families
    log_error: Exception | None  #: Why the saga log was not read.

    def __iter__(self) -> Iterator[Family]:
        return iter(self.families)


class SagaCollector(Collector):
    """All metrics of an app's sagas, for a registry of `prometheus_client`.

    It keeps nothing: the log counts, and this reads. What it takes does not grow with the number of sagas.
    With the log, the broker or the outbox away the rest is shown, and ``amends_log_up``, ``amends_broker_up`` or
    ``amends_outbox_up`` is 0. So it is with one that does not answer in time; a line of the log says why.

    patience: seconds after which a scrape is answered, whatever hangs.

    Raises `ConfigurationError`.
    """

    def __init__(self, app: Celery, *, patience: float = PATIENCE) -> None:
        log_of(app)  # what is wrong with the settings is said now, and not to Prometheus
        self._app = app
        self._patience = patience
        self._log = Source(app, "the saga log", add_log)
        self._breakers = Source(app, "the circuit breakers", add_breakers)
        self._outbox = Source(app, "the outbox", add_outbox)
        self._broker = Source(app, "the broker", add_queues)

    def describe(self) -> Iterator[Family]:
        """Name the metrics without reading anything: a registry asks at once."""
        return iter(Families())

    def collect(self) -> Iterator[Family]:
        """Read everything."""
        return iter(self.scrape())

    def scrape(self) -> Scrape:
        """Read everything, and say why the saga log could not be read."""
        began = time.perf_counter()
        up = {self._log: catalogue.LOG_UP, self._broker: catalogue.BROKER_UP}
        if settings_of(self._app).outbox_url is not None:
            up[self._outbox] = catalogue.OUTBOX_UP
        # All begin before any is waited for.
        looks = {source: source.look() for source in (*up, self._breakers)}
        families, errors = Families(), dict[str, Exception]()
        for source, look in looks.items():
            if source is self._breakers and self._log.name in errors:  # it is the log's Redis
                continue
            try:
                families.take(look.result(self._patience))
            except Exception as error:  # noqa: BLE001 - a fault of one source hides no other's metrics
                errors[source.name] = self._told(source, error)
        for source, metric in up.items():
            families.add(metric, source.name not in errors)
        families.add(catalogue.SCRAPE_DURATION, time.perf_counter() - began)
        return Scrape(families=families, log_error=errors.get(self._log.name))

    def _told(self, source: Source, error: Exception) -> Exception:
        """Log why a source was not read, and return it as the error of ours that it is."""
        if source is self._log and isinstance(error, TimeoutError):
            error = LogUnavailable(str(error))
        is_known = isinstance(error, SagaError | OperationalError | TimeoutError)
        trace = None if is_known else error
        _logger.warning("a scrape without %s: %s", source.name, error, exc_info=trace)
        return error
