"""The tracing tools of `traced_app`, each by its own way to keep what it notes in the process: here a line of JSON in a file."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

NOTES = "TRACED_NOTES"
TASKS = {
    "reserve": "reserve",
    "reserve:undo": "release",
    "charge": "charge",
    "ship": "ship",
    "linger": "linger",
}
"""The activities by their records."""
Request = Callable[[], AbstractContextManager[Any]]


def note(**about: Any) -> None:
    """Append a line to the notes; one write each, whatever other processes do."""
    with Path(os.environ[NOTES]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(about, default=str) + "\n")


def opentelemetry() -> Request:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

    class Noted(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            for span in spans:
                raised = [each.attributes["exception.type"] for each in span.events]
                note(
                    what=span.name,
                    task=TASKS.get(span.attributes.get("amends.record")),
                    trace=f"{span.context.trace_id:032x}",
                    id=f"{span.context.span_id:016x}",
                    parent=f"{span.parent.span_id:016x}" if span.parent else "",
                    errors=raised if not span.status.is_ok else [],
                    attributes=dict(span.attributes),
                )
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Noted()))
    trace.set_tracer_provider(provider)
    return lambda: trace.get_tracer("web").start_as_current_span("request")


def opentelemetry_celery() -> Request:
    from opentelemetry.instrumentation.celery import CeleryInstrumentor

    request = opentelemetry()
    CeleryInstrumentor().instrument()
    return request


def sentry() -> Request:
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.transport import Transport

    class Noted(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            for item in envelope.items:
                told = item.payload.json
                if isinstance(told, dict) and item.type in ("event", "transaction"):
                    trace = told["contexts"]["trace"]
                    raised = (told.get("exception") or {}).get("values", [])
                    note(
                        what=told.get("transaction") or "",
                        task=told.get("transaction") if item.type == "transaction" else None,
                        trace=trace["trace_id"],
                        id=trace["span_id"],
                        parent=trace.get("parent_span_id") or "",
                        holds=[each["span_id"] for each in told.get("spans", [])],
                        errors=[each["type"] for each in raised],
                    )

    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1",
        transport=Noted,
        traces_sample_rate=1.0,
        integrations=[CeleryIntegration()],
    )
    return lambda: sentry_sdk.start_transaction(name="request", op="http.server")


def ddtrace() -> Request:
    os.environ.update(
        DD_CELERY_DISTRIBUTED_TRACING="true",
        DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
        DD_REMOTE_CONFIGURATION_ENABLED="false",
    )
    import ddtrace as library
    from ddtrace.trace import TraceFilter, tracer

    class Noted(TraceFilter):
        def process_trace(self, trace: Any) -> None:
            for span in trace:
                note(
                    what=span.resource,
                    task=span.resource if span.name == "celery.run" else None,
                    trace=f"{span.trace_id:x}",
                    id=f"{span.span_id:x}",
                    parent=f"{span.parent_id:x}" if span.parent_id else "",
                    errors=[span.get_tag("error.type").removeprefix("builtins.")]
                    if span.error
                    else [],
                )

    tracer.configure(trace_processors=[Noted()])
    library.patch(celery=True)
    return lambda: tracer.trace("request")


def newrelic() -> Request:
    from newrelic import agent
    from newrelic.core.application import Application

    settings = Path(f"{os.environ[NOTES]}.{os.getpid()}.ini")
    answers = "amends.activities.request:Answered celery.exceptions:Retry"
    lines = (
        *("license_key = x", "app_name = shop", "developer_mode = true", "log_level = critical"),
        f"error_collector.ignore_classes = {answers}",
    )
    settings.write_text("\n".join(("[newrelic]", *lines)), encoding="utf-8")
    agent.initialize(str(settings))
    record = Application.record_transaction

    def noted(self: Any, data: Any, *arguments: Any, **options: Any) -> Any:
        name = data.path.rpartition("/")[2]
        note(
            what=name,
            task=name,
            trace=str(data.trace_id),
            id=data.guid,
            parent=data.parent_span or "",
            errors=[each.type.rpartition(":")[2] for each in data.errors],
        )
        return record(self, data, *arguments, **options)

    Application.record_transaction = noted
    agent.register_application(timeout=10.0)
    return lambda: agent.BackgroundTask(agent.application(), "request")


TOOLS: Mapping[str, tuple[str, Callable[[], Request]]] = {
    "opentelemetry": ("opentelemetry.sdk", opentelemetry),
    "opentelemetry_celery": ("opentelemetry.instrumentation.celery", opentelemetry_celery),
    "sentry": ("sentry_sdk", sentry),
    "ddtrace": ("ddtrace", ddtrace),
    "newrelic": ("newrelic", newrelic),
}
"""Each with the package that it needs."""
