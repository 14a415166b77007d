"""OpenTelemetry's spans of what happens to a saga: its attempts, and the events that are no attempt's."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from functools import partial
from operator import attrgetter
from typing import Any, Final

from celery import Celery

from amends.backend.settings import settings_of
from amends.definition.itinerary import Itinerary, RecordPlan
from amends.definition.paths import FALLBACK
from amends.log.history import Event
from amends.log.observers import Transition, subscribe
from amends.traces import otel
from amends.traces.carrier import carrier_of
from amends.traces.sagas import shielded

EVENTS: Final = {
    "step.waiting": "wait",
    "step.signalled": "signal",
    "saga.compensating": "turn back",
    "saga.stuck": "stuck",
}
"""The events that have a short span of their own, and what its name begins with."""


def attempt_span(
    saga_id: str, itinerary: Itinerary, record: RecordPlan, number: int
) -> otel.AttemptSpan | None:
    """Begin the span of an attempt; None for a saga without a trace at hand, and without OpenTelemetry.

    number: of the attempt, from 1.
    """
    carrier = carrier_of(saga_id) if otel.IS_INSTALLED else ""
    if not carrier:
        return None
    kind = "undo" if record.compensates else "verify" if record.verifies else "step"
    attributes = {
        "amends.saga": itinerary.saga,
        "amends.saga_id": saga_id,
        "amends.step": record.step.name,
        "amends.record": record.path,
        "amends.channel": "fallback" if FALLBACK in record.path else "primary",
        "amends.attempt": number,
    }
    name = f"{kind} {record.step.name}"
    return shielded(partial(otel.AttemptSpan, name, carrier, attributes))


def add_spans(app: Celery, transition: Transition) -> None:
    """Add a short span for each of these events to the saga's."""
    if EVENTS.keys().isdisjoint(transition.names) or not settings_of(app).traces:
        return
    for event in transition.events:
        if event.name in EVENTS:
            about, error = _attributes(transition, event), ""
            if event.name == "saga.stuck":
                error = str(event.details.get("reason") or "stuck")
            subject = event.record or transition.saga
            name = f"{EVENTS[event.name]} {subject}"
            otel.short_span(name, transition.trace, about, error=error)


def _attributes(transition: Transition, event: Event) -> dict[str, Any]:
    found = {"amends.saga": transition.saga, "amends.saga_id": transition.saga_id}
    if event.record:
        found["amends.step"] = event.record
    told = ("outcome", "signal", "until")
    return {**found, **{f"amends.{k}": event.details[k] for k in told if event.details.get(k)}}


if otel.IS_INSTALLED:
    subscribe(add_spans, where=attrgetter("trace"))
