"""The metrics of one scrape, in the classes of `prometheus_client`."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import inf
from typing import Any, Final

from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from amends.telemetry.prometheus.catalogue import METRICS
from amends.telemetry.prometheus.metric import Metric

_CLASSES: Final[Mapping[str, Any]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


class Families:
    """The samples of one scrape. It iterates over all metrics, be they without any."""

    def __init__(self) -> None:
        self._families: dict[str, Any] = {metric.name: _family(metric) for metric in METRICS}

    def __iter__(self) -> Iterator[Family]:
        return iter(self._families.values())

    def add(self, metric: Metric, value: float, *labels: str) -> None:
        """Add a value under these labels."""
        self._families[metric.name].add_metric(labels, value)

    def take(self, others: "Families") -> None:
        """Add all samples of others."""
        for own, other in zip(self, others, strict=True):
            own.samples.extend(other.samples)

    def add_times(
        self,
        metric: Metric,
        bounds: Sequence[float],
        counts: Mapping[str, int],
        *labels: str,
    ) -> None:
        """Add a histogram from how many times were within each bound and not the one before.

        `counts` has the bounds as Lua writes them, ``inf`` after the last, and ``sum`` in ms.
        """
        within = accumulate(counts.get(f"{bound:.14g}", 0) for bound in (*bounds, inf))
        names = [*(str(float(bound)) for bound in bounds), "+Inf"]
        buckets = list(zip(names, within, strict=True))
        self._families[metric.name].add_metric(labels, buckets, counts.get("sum", 0) / 1000)


def _family(metric: Metric) -> Any:
    name = metric.name.removesuffix("_total")
    unit = name.rpartition("_")[2]
    options = {"unit": unit} if unit in ("seconds", "bytes") else {}
    return _CLASSES[metric.kind](name, metric.tells, labels=metric.labels, **options)
