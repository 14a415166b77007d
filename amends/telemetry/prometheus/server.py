"""The process that Prometheus scrapes."""

import signal
import threading
from collections.abc import Iterator
from typing import Any, Self

from celery import Celery
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client import Metric as Family
from prometheus_client.registry import Collector

from amends.errors import ConfigurationError
from amends.telemetry.prometheus.collector import SagaCollector, Scrape


def scrape(app: Celery) -> Scrape:
    """Read all metrics once."""
    return _collector(app).scrape()


def exposition(app: Celery) -> str:
    """Read all metrics once, as the text that Prometheus reads."""
    return text(scrape(app))


def text(found: Scrape) -> str:
    """Write what a scrape found as the text that Prometheus reads."""
    return generate_latest(_registry(_Found(found))).decode()


def samples(found: Scrape) -> Iterator[dict[str, Any]]:
    """Write what a scrape found as name, labels and value of each sample."""
    for family in found:
        for sample in family.samples:
            yield {"name": sample.name, "labels": sample.labels, "value": sample.value}


class _Found(Collector):
    """A scrape that was made already, for a registry."""

    def __init__(self, found: Scrape) -> None:
        self._found = found

    def collect(self) -> Iterator[Family]:
        return iter(self._found)


class MetricsServer:
    """Answers Prometheus over HTTP, in threads, while it is entered; `port` may be 0 for a free one.

    Raises `ConfigurationError` where it cannot listen there.
    """

    def __init__(self, app: Celery, *, port: int, address: str) -> None:
        registry = _registry(_collector(app))
        try:
            self._server, self._thread = start_http_server(port, address, registry)
        except OSError as error:
            raise ConfigurationError(
                f"metrics cannot be served at {address}:{port}: {error.strerror}; say --address and --port"
            ) from error
        self.url = f"http://{address}:{self._server.server_port}/metrics"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def wait_for_the_end() -> None:
    """Wait until this process is told to end, by Ctrl-C or SIGTERM."""
    ends = threading.Event()

    def end(*_: Any) -> None:
        ends.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    ends.wait()


def _collector(app: Celery) -> SagaCollector:
    app.loader.import_default_modules()  # the activities and their circuit breakers
    return SagaCollector(app)


def _registry(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
