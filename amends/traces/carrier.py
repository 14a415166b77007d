"""The carrier of a saga's trace: the headers that tracing tools gave its start, kept as JSON in its record in the log.

Those of the sagas at hand are known to whoever publishes a message: it brings them as headers, for tools that look for them there.
"""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

_LARGEST: Final = 2_048  # characters: it is in each message of the saga
_BAGGAGE: Final = "baggage"
_STATE: Final = "tracestate"
_SENTRYS: Final = "sentry-trace"
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})

AT_HAND: Final[ContextVar[Mapping[str, str]]] = ContextVar("amends_traces", default=_NONE)
"""The carriers of the sagas at hand that have one, by their ids, and that of the trace that was entered."""

ENTERED: Final = ""
"""In place of an id: of the trace that whatever is started inside belongs to."""


def text_of(headers: Mapping[str, str]) -> str:
    """Return a carrier as it is kept, '' of none. Baggage is left out where it is large, and after it the state that vendors add."""
    if not headers:
        return ""
    for left_out in ((), (_BAGGAGE,), (_BAGGAGE, _STATE)):
        text = json.dumps({name: each for name, each in headers.items() if name not in left_out})
        if len(text) <= _LARGEST:
            return text
    return ""


@lru_cache(maxsize=1_000)
def read(text: str) -> Mapping[str, str]:
    """Return the headers of a carrier; none of a text that is no carrier, as a newer release may write one."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def carrier_of(saga_id: str) -> str:
    """Return the carrier of a saga that is at hand, '' if it has none."""
    return AT_HAND.get().get(saga_id, "")


def message_headers(saga_id: str, others: Mapping[str, Any] = _NONE) -> dict[str, Any]:
    """Return the headers of a message of a saga at hand: those of its carrier, and `others`.

    Sentry looks for its own in a header that is called ``headers``; Celery then takes what is in there for all headers.
    """
    return _with_sentrys({**others, **read(carrier_of(saga_id))})


def header_members(saga_id: str) -> str:
    """Return `message_headers` as JSON without the braces."""
    return _members(carrier_of(saga_id))


@lru_cache(maxsize=1_000)
def _members(text: str) -> str:
    return json.dumps(_with_sentrys(read(text)))[1:-1]


def _with_sentrys(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {**headers, "headers": dict(headers)} if _SENTRYS in headers else dict(headers)


@contextmanager
def at_hand(carriers: Mapping[str, str]) -> Iterator[None]:
    """Let messages that are published inside bring these carriers, by the ids of their sagas."""
    if not carriers:
        yield
        return
    token = AT_HAND.set({**AT_HAND.get(), **carriers})
    try:
        yield
    finally:
        AT_HAND.reset(token)
