"""The one way in: read from the log what remains of a saga, and publish it as a chain."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from celery import Celery, Task, shared_task

from amends.backend.settings import celery_setting, settings_of
from amends.dispatch import fast_path
from amends.dispatch.canvas import publish_canvas
from amends.dispatch.messages import ADVANCE, headers_again, publishing
from amends.errors import LogUnavailable, UnreadableData
from amends.log.answers import Publish
from amends.log.saga_log import log_of

_logger = logging.getLogger(__name__)

_ANY: Final = 10.0**9  # seconds: no wait is too long where nothing is published


def advance(app: Celery, saga_id: str) -> None:
    """Publish what remains of a saga, forward or backward.

    Does nothing where nothing remains, or where a worker has claimed what is next: that claim is
    answered. Raises `LogUnavailable`, and kombu's ``OperationalError`` with the broker away.
    """
    answer = log_of(app).dispatch_saga(saga_id, longest_wait=settings_of(app).max_countdown)
    if isinstance(answer, Publish):
        publish(app, saga_id, answer)


def publish(app: Celery, saga_id: str, what: Publish) -> None:
    """Publish a chain of these records, with `advance` as its error callback.

    Under ``task_always_eager`` the saga runs to its end here instead: Celery's eager chain knows no
    error callback that goes on.
    """
    publish_many(app, [saga_id], what)


def publish_many(app: Celery, saga_ids: Sequence[str], what: Publish) -> None:
    """`publish` for many sagas of one definition that come to the same. Raises kombu's ``OperationalError`` with the broker away."""
    if celery_setting(app, "task_always_eager"):
        for saga_id in saga_ids:
            run_here(app, saga_id)
        return
    with publishing():
        # A copy of a lost message has a header of its own, and is rare.
        if what.copied_at or not fast_path.publish(app, saga_ids, what):
            for saga_id in saga_ids:
                publish_canvas(app, saga_id, what)


def run_here(
    app: Celery, saga_id: str, *, sleep: Callable[[float], None] = time.sleep, **how: Any
) -> None:
    """Run a saga to its end in this process, without messages, through the same log.

    `sleep` waits for a retry. `how` goes to each task's ``perform_here``. Raises Celery's
    ``NotRegistered`` for an activity that this process does not know.
    """
    while isinstance(answer := log_of(app).dispatch_saga(saga_id, longest_wait=_ANY), Publish):
        path, tries = answer.records[0]
        if answer.wait:
            sleep(answer.wait)
        task: Any = app.tasks[answer.itinerary.records[path].call.task]
        task.perform_here(saga_id, path, retries=tries, **how)


@shared_task(
    name=ADVANCE,
    bind=True,
    acks_late=True,
    reject_on_worker_lost=True,
    acks_on_failure_or_timeout=True,
    ignore_result=True,
    max_retries=None,
)
def advance_task(self: Task[Any, Any], saga_id: str) -> None:
    """Publish what remains of this saga."""
    try:
        advance(self.app, saga_id)
    except UnreadableData as error:
        _logger.warning("saga %s is left to other workers: %s", saga_id, error)
    except LogUnavailable as error:
        raise self.retry(exc=error, countdown=5.0, headers=headers_again(self)) from error
