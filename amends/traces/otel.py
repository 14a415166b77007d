"""OpenTelemetry's API, where it is installed: the spans of a saga.

A saga has one short span, which ends as it is started: it may last for weeks, and no process has it in hand for so long. The spans of
its attempts, waits and signals are children of that span, side by side.
"""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from amends.traces.carrier import read

try:
    from opentelemetry import context, propagate, trace
except Exception:  # noqa: BLE001 - it raises what it likes where OTEL_PROPAGATORS names one that is not installed
    IS_INSTALLED = False
else:
    IS_INSTALLED = True

Attributes = Mapping[str, str | int]

_CELERYS: Final = "opentelemetry.instrumentation.celery"
"""Name of the tracer of OpenTelemetry's own instrumentation of Celery, whose span of a task is an attempt's too."""


def inject(headers: dict[str, str]) -> None:
    """Add the headers by which another process goes on with the trace of this moment."""
    propagate.inject(headers)


@contextmanager
def entered(headers: Mapping[str, str]) -> Iterator[None]:
    """Make the span that these headers tell of the current one."""
    token = context.attach(propagate.extract(headers))
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def unrecorded() -> Iterator[None]:
    """Let no span be recorded inside, by the usual samplers, which follow a parent."""
    if not IS_INSTALLED:
        yield
        return
    nobody = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))
    token = context.attach(trace.set_span_in_context(nobody))
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def saga_span(attributes: Attributes) -> Iterator[None]:
    """Make the span of a saga that is started the current one."""
    name = f"saga {attributes['amends.saga']}"
    with _tracer().start_as_current_span(name, attributes=attributes):
        yield


def short_span(name: str, carrier: str, attributes: Attributes, *, error: str = "") -> None:
    """Add a span to a saga's, which has ended already. It is linked to the span at hand, if that is of another trace.

    error: what makes it an error, '' for none.
    """
    parent, current = _context_of(carrier), trace.get_current_span().get_span_context()
    of_saga = trace.get_current_span(parent).get_span_context()
    if not of_saga.is_valid:  # a carrier of another tool
        return
    is_other = current.is_valid and current.trace_id != of_saga.trace_id
    links = [trace.Link(current)] if is_other else []
    span = _tracer().start_span(name, context=parent, links=links, attributes=attributes)
    if error:
        span.set_status(trace.Status(trace.StatusCode.ERROR, error))
    span.end()


class AttemptSpan:
    """The span of an attempt, current from `begin` to `end`.

    Where Celery's own instrumentation has made one of the same trace, that is it, and only gets the attributes: how the
    task ends is told by the instrumentation.
    """

    def __init__(self, name: str, carrier: str, attributes: Attributes) -> None:
        parent = _context_of(carrier)
        current, of_saga = trace.get_current_span(), trace.get_current_span(parent)
        self._span: Any = None
        if not of_saga.get_span_context().is_valid:  # a carrier of another tool
            return
        if _is_of_celery(current) and _trace_id(current) == _trace_id(of_saga):
            current.set_attributes(attributes)
            return
        kind = trace.SpanKind.CONSUMER
        self._span = _tracer().start_span(name, context=parent, kind=kind, attributes=attributes)
        self._token = context.attach(trace.set_span_in_context(self._span, parent))

    def end(self, error: BaseException | None, *, is_answer: bool) -> None:
        """End it.

        error: what the attempt raised.
        is_answer: whether that is an answer, and no error.
        """
        if self._span is None:
            return
        context.detach(self._token)
        if error is not None and is_answer:
            self._span.set_attribute("amends.refused", str(error))
        elif error is not None:
            self._span.record_exception(error)
            self._span.set_status(trace.Status(trace.StatusCode.ERROR, str(error)))
        self._span.end()


@lru_cache(maxsize=256)
def _context_of(carrier: str) -> Any:
    """Return the context in which the span that a carrier tells of is the current one: the attempts of a saga ask one after the other."""
    return propagate.extract(read(carrier), context=context.Context())


def _tracer() -> Any:
    return _tracer_of(trace.get_tracer_provider())


@lru_cache(maxsize=1)
def _tracer_of(provider: Any) -> Any:
    return trace.get_tracer("amends", tracer_provider=provider)


def _trace_id(span: Any) -> int:
    found: int = span.get_span_context().trace_id
    return found


def _is_of_celery(span: Any) -> bool:
    scope = getattr(span, "instrumentation_scope", None)
    return getattr(scope, "name", "") == _CELERYS and span.is_recording()
