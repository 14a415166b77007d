"""The calls of activities in a rehearsal, and which of them took effect."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from celery import Celery
from pydantic import BaseModel

from amends.activities.context import context
from amends.log.saga_log import log_of

_BEGINS = {"step.started", "step.compensating"}
_TAKES_EFFECT = {"step.completed", "step.compensated"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One attempt at a record of a saga, whether its function was called or something else played.

    `path` names the record: ``<step>``, ``<step>:fallback``, ``<step>:undo`` or
    ``<step>:fallback:undo``. `at` is seconds since 1970 by the rehearsal's clock. `undone` is what a
    compensation got as the output that it undoes. `output` is what came back and `error` what was
    raised; after a lost reply both are set.
    """

    saga_id: str
    path: str
    attempt: int
    at: float
    idempotency_key: str
    request: BaseModel
    undone: BaseModel | None = None
    output: Any = None
    error: BaseException | None = None


def begun(path: str, arguments: Sequence[Any], *, at: float) -> Call:
    """Note the call that runs here, which has not ended."""
    current = context()
    return Call(
        saga_id=current.saga_id or "",
        path=path,
        attempt=current.attempt,
        at=at,
        idempotency_key=current.idempotency_key,
        request=arguments[0],
        undone=arguments[1] if len(arguments) > 1 else None,
    )


def effective(app: Celery, calls: Sequence[Call]) -> list[Call]:
    """Pick the calls that the log counts as done, in order."""
    saga_ids = {call.saga_id for call in calls}
    done = {(saga_id, *which) for saga_id in saga_ids for which in _done_of(app, saga_id)}
    return [call for call in calls if (call.saga_id, call.path, call.attempt) in done]


def _done_of(app: Celery, saga_id: str) -> set[tuple[str, int]]:
    attempts: dict[str, int] = {}
    done = set()
    for event in log_of(app).read_history(saga_id):
        path = event.record or ""
        if event.name in _BEGINS and "attempt" in event.details:  # a child's undo is no call
            attempts[path] = event.details["attempt"]
        elif event.name in _TAKES_EFFECT and path in attempts:
            done.add((path, attempts[path]))
    return done
