"""Records of a saga that are done in this process, without a message."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import secrets
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import ContextVar
from typing import Any, Final

from amends.activities.attempt import Attempt
from amends.activities.protocol import Call, Ended
from amends.log.answers import Run
from amends.log.saga_log import log_of
from amends.traces.sagas import bringing

HERE: Final[ContextVar[Callable[[], None] | None]] = ContextVar("amends_here", default=None)
"""What a task has to do in place of what its arguments ask for, once: a record of a saga that runs without messages."""


def perform_record(
    task: Any, saga_id: str, path: str, *, retries: int, call: Call | None
) -> Ended | None:
    """Do one record of a saga as Celery would call its `ActivityTask`.

    Returns how the attempt ended, None if none was made.
    """
    ends: list[Ended | None] = []
    token = HERE.set(lambda: ends.append(_perform(task, saga_id, path, retries=retries, call=call)))
    try:
        task(saga_id=saga_id, step=path)
    finally:
        HERE.reset(token)
    return ends[0] if ends else None


def _perform(
    task: Any, saga_id: str, path: str, *, retries: int, call: Call | None
) -> Ended | None:
    HERE.set(None)  # what it calls may be another task
    log, token = log_of(task.app), secrets.token_hex(8)
    claim = log.claim_step(saga_id, path, token=token, owner="", retries=retries)
    if not isinstance(claim, Run):
        return None
    attempt = Attempt(
        task.activity,
        log,
        claim,
        saga_id=saga_id,
        path=path,
        token=token,
        caller=(token, retries),
        call=call,
    )
    with bringing(task.app, saga_id, claim.trace) if claim.trace else nullcontext():
        output = attempt.carry_out()
        return attempt.complete(output) if isinstance(output, str) else output
