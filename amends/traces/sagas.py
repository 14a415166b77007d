"""The traces of sagas: caught at a start, gone on with by whoever does something for the saga.

Whatever a tool raises costs a saga nothing but its trace.
"""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any, Final, TypeVar

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

from amends.backend.settings import settings_of
from amends.traces import otel
from amends.traces.carrier import ENTERED, at_hand, carrier_of, read, text_of
from amends.traces.tools import TOOLS, Tool

T = TypeVar("T")

_logger: Final = logging.getLogger(__name__)
_told: Final[set[str]] = set()


def caught(app: Celery) -> str:
    """Return the carrier of the trace of this moment, '' if there is none."""
    return shielded(partial(_caught, _tools(app))) or ""


def begun(app: Celery, saga: str, saga_ids: Sequence[str]) -> Mapping[str, str]:
    """Begin the traces of sagas that are started now, or go on with the one of this moment. Returns their carriers, of those that have one.

    Where no tool of this process begins one, as in a worker's main process without an SDK, that of an `entered` carrier is it.
    """
    tools, found = _tools(app), dict[str, str]()
    for saga_id in saga_ids if tools else ():
        attributes = {"amends.saga": saga, "amends.saga_id": saga_id}
        if carrier := shielded(partial(_begun, tools, attributes)):
            found[saga_id] = carrier
    if (carrier := carrier_of(ENTERED)) and settings_of(app).traces:
        found |= {each: carrier for each in saga_ids if each not in found}
    return found


@contextmanager
def beginning(app: Celery, saga: str, saga_id: str) -> Iterator[str]:
    """Let a saga that is started inside have a trace, see `begun`. Yields its carrier, '' if it has none."""
    with at_hand(carriers := begun(app, saga, [saga_id])):
        yield carriers.get(saga_id, "")


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
    headers, stack = read(carrier), ExitStack()
    with at_hand({ENTERED: carrier} if headers else {}):
        for tool in _tools(app) if headers else ():
            shielded(partial(_enter, stack, tool, headers))
        try:
            yield
        finally:
            shielded(stack.close)


def shielded(call: Callable[[], T]) -> T | None:
    """Return what a tool does; None where it raises, and a line of the log for each kind of failure once."""
    try:
        return call()
    except SoftTimeLimitExceeded:  # the limit of the task that is at hand
        raise
    except Exception as error:
        if (kind := repr(error)) not in _told:
            _told.add(kind)
            _logger.exception("a tracing tool failed, and traces have gaps")
        return None


def _enter(stack: ExitStack, tool: Tool, headers: Mapping[str, str]) -> None:
    stack.enter_context(tool.entered(headers))


def _begun(tools: Sequence[Tool], attributes: Mapping[str, str]) -> str:
    with otel.saga_span(attributes) if otel.IS_INSTALLED else nullcontext():
        return _caught(tools)


def _caught(tools: Sequence[Tool]) -> str:
    headers: dict[str, str] = {}
    for tool in tools:
        shielded(partial(tool.inject, headers))
    return text_of(headers)


def _tools(app: Celery) -> Sequence[Tool]:
    return [tool for tool in TOOLS if shielded(tool.is_on)] if settings_of(app).traces else ()
