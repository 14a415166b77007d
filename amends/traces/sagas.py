"""The traces of sagas: caught at a start, gone on with by whoever does something for the saga."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from celery import Celery

from amends.backend.settings import settings_of
from amends.traces import otel
from amends.traces.carrier import at_hand, carrier_of, read, text_of
from amends.traces.tools import TOOLS, Tool


def caught(app: Celery) -> str:
    """Return the carrier of the trace of this moment, '' if there is none."""
    headers: dict[str, str] = {}
    for tool in _tools(app):
        tool.inject(headers)
    return text_of(headers)


def begun(app: Celery, saga: str, saga_ids: Iterable[str]) -> Mapping[str, str]:
    """Begin the traces of sagas that are started now, or go on with the one of this moment. Returns their carriers, of those that have one."""
    tools = _tools(app)
    if not tools:
        return {}
    found = {}
    for saga_id in saga_ids:
        headers: dict[str, str] = {}
        attributes = {"amends.saga": saga, "amends.saga_id": saga_id}
        with otel.saga_span(attributes) if otel.IS_INSTALLED else nullcontext():
            for tool in tools:
                tool.inject(headers)
        found[saga_id] = text_of(headers)
    return {saga_id: text for saga_id, text in found.items() if text}


def bringing(app: Celery, saga_id: str, carrier: str) -> AbstractContextManager[None]:
    """Let messages of a saga that are published inside bring its carrier."""
    is_on = bool(carrier) and settings_of(app).traces
    return at_hand({saga_id: carrier} if is_on else {})


def publishing_for(app: Celery, saga_id: str) -> AbstractContextManager[Any]:
    """Let tools take what is published inside for a part of the trace of a saga at hand, and no part of the task at hand."""
    carrier = carrier_of(saga_id)
    return entered(app, carrier) if carrier else nullcontext()


@contextmanager
def entered(app: Celery, carrier: str) -> Iterator[None]:
    """Let tools take what is done inside for a part of a carrier's trace."""
    headers = read(carrier)
    with ExitStack() as stack:
        for tool in _tools(app) if headers else ():
            stack.enter_context(tool.entered(headers))
        yield


def _tools(app: Celery) -> list[Tool]:
    return [tool for tool in TOOLS if tool.is_on()] if settings_of(app).traces else []
