"""The tracing tools of a process, each by its public calls. One that the process has not imported costs nothing."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

from amends.traces import otel

_W3C: Final = ("traceparent", "tracestate")


class Tool(Protocol):
    """A tracing tool."""

    def is_on(self) -> bool:
        """Return whether this process uses it."""

    def inject(self, headers: dict[str, str]) -> None:
        """Add the headers by which it goes on with the trace of this moment."""

    def entered(self, headers: Mapping[str, str]) -> AbstractContextManager[Any]:
        """Let what is published inside belong to the trace of these headers."""


class OpenTelemetry:
    """OpenTelemetry, by the propagators that the process has set up."""

    def is_on(self) -> bool:
        """Return whether its API is installed."""
        return otel.IS_INSTALLED

    def inject(self, headers: dict[str, str]) -> None:
        """Add ``traceparent`` and the like."""
        otel.inject(headers)

    def entered(self, headers: Mapping[str, str]) -> AbstractContextManager[Any]:
        """Make the saga's span the current one."""
        return otel.entered(headers)


class Sentry:
    """Sentry, where its integration of Celery hands traces on."""

    def is_on(self) -> bool:
        """Return whether it is initialized, with that integration."""
        sentry = sys.modules.get("sentry_sdk")
        get_client = getattr(sentry, "get_client", None)  # of 2.0 and later
        integration = get_client and get_client().get_integration("celery")
        return bool(integration and integration.propagate_traces)

    def inject(self, headers: dict[str, str]) -> None:
        """Add ``sentry-trace``, and its part of ``baggage``."""
        sentry: Any = sys.modules["sentry_sdk"]
        if trace := sentry.get_traceparent():
            headers["sentry-trace"] = trace
        baggage = [each for each in (headers.get("baggage"), sentry.get_baggage()) if each]
        if baggage:
            headers["baggage"] = ",".join(dict.fromkeys(baggage))

    @contextmanager
    def entered(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Go on with the trace in a scope of its own."""
        if "sentry-trace" not in headers:
            yield
            return
        sentry: Any = sys.modules["sentry_sdk"]
        with sentry.isolation_scope(), sentry.new_scope() as scope:
            scope.clear()
            sentry.continue_trace(dict(headers))
            yield


class Datadog:
    """ddtrace; its workers read these headers with ``DD_CELERY_DISTRIBUTED_TRACING``."""

    def is_on(self) -> bool:
        """Return whether it is imported."""
        return "ddtrace.propagation.http" in sys.modules

    def inject(self, headers: dict[str, str]) -> None:
        """Add ``x-datadog-trace-id`` and the like."""
        context = self._tracer.current_trace_context()
        if context is not None:
            found: dict[str, str] = {}
            self._propagator.inject(context, found)
            headers.update({name: each for name, each in found.items() if name not in headers})

    @contextmanager
    def entered(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Make the trace the active one."""
        provider = self._tracer.context_provider
        before = provider.active()
        provider.activate(self._propagator.extract(dict(headers)))
        try:
            yield
        finally:
            provider.activate(before)

    @property
    def _tracer(self) -> Any:
        ddtrace: Any = sys.modules["ddtrace.trace"]
        return ddtrace.tracer

    @property
    def _propagator(self) -> Any:
        return sys.modules["ddtrace.propagation.http"].HTTPPropagator


class NewRelic:
    """New Relic's agent."""

    def is_on(self) -> bool:
        """Return whether a transaction of it is under way."""
        agent = sys.modules.get("newrelic.agent")
        return agent is not None and agent.current_transaction() is not None

    def inject(self, headers: dict[str, str]) -> None:
        """Add ``traceparent`` and ``tracestate``."""
        found: list[tuple[str, str]] = []
        sys.modules["newrelic.agent"].insert_distributed_trace_headers(found)
        headers.update({k: v for k, v in found if k in _W3C and k not in headers})

    @contextmanager
    def entered(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Let the transaction, as that of `amends.advance`, belong to the trace unless it belongs to one."""
        agent: Any = sys.modules["newrelic.agent"]
        agent.accept_distributed_trace_headers(dict(headers), transport_type="AMQP")
        yield


TOOLS: Final[tuple[Tool, ...]] = (OpenTelemetry(), Sentry(), Datadog(), NewRelic())
