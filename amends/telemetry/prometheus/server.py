"""The process that Prometheus scrapes."""

import signal
import threading
from collections.abc import Iterator
from typing import Any, Self

from celery import Celery
from prometheus_client import CollectorRegistry, generate_latest, start_http_server

from amends.errors import ConfigurationError
from amends.telemetry.prometheus.collector import SagaCollector


def exposition(app: Celery) -> str:
    """Read all metrics once, as the text that Prometheus reads."""
    return generate_latest(_registry(app)).decode()


def samples(app: Celery) -> Iterator[dict[str, Any]]:
    """Read all metrics once, as name, labels and value of each sample."""
    for family in _registry(app).collect():
        for sample in family.samples:
            yield {"name": sample.name, "labels": sample.labels, "value": sample.value}


class MetricsServer:
    """Answers Prometheus over HTTP, in threads, while it is entered; `port` may be 0 for a free one.

    Raises `ConfigurationError` where it cannot listen there.
    """

    def __init__(self, app: Celery, *, port: int, address: str) -> None:
        app.set_default()  # circuit breakers ask which app is current, and each scrape has a thread of its own
        try:
            self._server, self._thread = start_http_server(port, address, _registry(app))
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


def _registry(app: Celery) -> CollectorRegistry:
    app.loader.import_default_modules()  # the activities and their circuit breakers
    registry = CollectorRegistry()
    registry.register(SagaCollector(app))
    return registry
