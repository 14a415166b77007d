"""The tracing tools that a contender may run with: what they note is dropped, and sent nowhere."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final


def trace() -> None:
    """Set up the tool that ``BENCH_TRACES`` names, in each process of a contender."""
    if tool := os.environ.get("BENCH_TRACES"):
        TOOLS[tool]()


def _opentelemetry() -> None:
    """Record each span, and hand it to a batch of an exporter that drops it."""
    from opentelemetry import trace as api
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        SpanExporter,
        SpanExportResult,
    )

    class Dropped(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Dropped()))
    api.set_tracer_provider(provider)


def _opentelemetry_celery() -> None:
    from opentelemetry.instrumentation.celery import CeleryInstrumentor

    _opentelemetry()
    CeleryInstrumentor().instrument()


def _sentry() -> None:
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.transport import Transport

    class Dropped(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            pass

    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1",
        transport=Dropped,
        traces_sample_rate=1.0,
        integrations=[CeleryIntegration()],
    )


def _ddtrace() -> None:
    os.environ.update(
        DD_CELERY_DISTRIBUTED_TRACING="true",
        DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
        DD_REMOTE_CONFIGURATION_ENABLED="false",
    )
    import ddtrace
    from ddtrace.trace import TraceFilter, tracer

    class Dropped(TraceFilter):
        def process_trace(self, trace: Any) -> None:  # noqa: ARG002
            return None

    tracer.configure(trace_processors=[Dropped()])
    ddtrace.patch(celery=True)


TOOLS: Final[Mapping[str, Callable[[], None]]] = {
    "opentelemetry": _opentelemetry,
    "opentelemetry_celery": _opentelemetry_celery,
    "sentry": _sentry,
    "ddtrace": _ddtrace,
}
