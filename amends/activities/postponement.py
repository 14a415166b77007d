"""Putting a message off while the saga log is away."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import random
from collections.abc import Iterable
from typing import Any, Final

from celery.exceptions import Retry
from celery.utils.log import get_task_logger
from kombu.exceptions import OperationalError

from amends.backend.outage_lines import OUTAGE
from amends.dispatch.messages import (
    TOKEN_HEADER,
    bounded,
    countdown_of,
    headers_again,
    publishing,
)
from amends.errors import LogUnavailable

PUT_OFF: Final = (5.0, 15.0)
"""Seconds, at least and at most, that a message is put off."""

_KEPT: Final = 50
"""Tokens of its first claims that a message brings, and as many of its last: an outage may last for days."""

_logger = get_task_logger(__name__)


def put_off(task: Any, tokens: Iterable[str], error: LogUnavailable) -> None:
    """Publish the message again, some seconds on: the same id and retries, and the tokens of its claims.

    A claim may have landed although its answer did not come; its token lets the next one take
    its place. (`Task.retry` would count it, and ``Reject(requeue=True)`` would spin.) Returns only
    where the broker is away too.
    """
    request = task.request
    countdown = countdown_of(task.app, random.uniform(*PUT_OFF))  # noqa: S311 - jitter
    every = ",".join(filter(None, tokens)).split(",")
    kept = every if len(every) <= 2 * _KEPT else [*every[:_KEPT], *every[-_KEPT:]]
    headers = {**headers_again(task), TOKEN_HEADER: ",".join(kept)}
    message = task.signature_from_request(request, countdown=countdown, headers=headers)
    try:
        with publishing(), bounded(task.app) as how:
            message.apply_async(**how)
    except OperationalError as away:
        OUTAGE.warn(_logger, "%s is kept: %s, and %s", request.id, error, away)
        return
    OUTAGE.warn(_logger, "%s waits %.0f s: %s", request.id, countdown, error)
    raise Retry("the saga log is away", exc=error, sig=message)
