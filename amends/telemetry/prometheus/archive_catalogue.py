"""The metrics of sagas after their end: the archive, and remembered ids."""

from typing import Final

from amends.telemetry.prometheus.metric import Metric

ARCHIVED: Final = Metric(
    kind="counter",
    name="amends_archive_sagas_total",
    labels=(),
    tells="Ended sagas that the archive took, repeated ones among them.",
)
FAILURES: Final = Metric(
    kind="counter",
    name="amends_archive_failures_total",
    labels=(),
    tells="Batches of ended sagas that the archive did not take.",
)
FAILING: Final = Metric(
    kind="gauge",
    name="amends_archive_failing_seconds",
    labels=(),
    tells="How long the archive has taken none of its batches; 0 if it took the last one. Meanwhile ended sagas stay in the log.",
)
REMEMBERED: Final = Metric(
    kind="gauge",
    name="amends_remembered_sagas",
    labels=(),
    tells="Sagas that were removed, and whose ids are remembered.",
)

METRICS: Final = (ARCHIVED, FAILURES, FAILING, REMEMBERED)
