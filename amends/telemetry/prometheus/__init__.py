"""Metrics for Prometheus, read from the log when they are asked for: no worker keeps any.

`SagaCollector` goes into a registry of one's own; ``celery -A tasks saga metrics`` serves it alone.
"""

from amends.errors import ConfigurationError

try:
    import prometheus_client  # noqa: F401 - of an extra
except ImportError as error:
    raise ConfigurationError(
        "amends.telemetry.prometheus needs prometheus_client: pip install 'amends[metrics]'"
    ) from error

from amends.telemetry.prometheus.collector import SagaCollector, Scrape
from amends.telemetry.prometheus.server import (
    MetricsServer,
    exposition,
    samples,
    scrape,
    text,
    wait_for_the_end,
)

__all__ = [
    "MetricsServer",
    "SagaCollector",
    "Scrape",
    "exposition",
    "samples",
    "scrape",
    "text",
    "wait_for_the_end",
]
