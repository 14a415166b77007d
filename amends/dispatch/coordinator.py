"""The one way in: read from the log what remains of a saga, and publish it as a chain."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import logging
from collections.abc import Hashable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any

from celery import Celery, Task, shared_task
from kombu.exceptions import OperationalError

from amends.backend.settings import celery_setting, settings_of
from amends.dispatch import fast_path
from amends.dispatch.canvas import publish_canvas, publish_canvases
from amends.dispatch.children import tell_parent
from amends.dispatch.in_process import run_here
from amends.dispatch.messages import ADVANCE, headers_again, plays_messages, publishing
from amends.dispatch.remaining import expanded
from amends.errors import LogUnavailable, UnreadableData
from amends.log.answers import Publish
from amends.log.in_flight import Branches, Dispatched, Ended
from amends.log.saga_log import log_of
from amends.traces.sagas import bringing

_logger = logging.getLogger(__name__)


def advance(app: Celery, saga_id: str, lost: Iterable[str] = ()) -> None:
    """Publish what remains of a saga, forward or backward.

    lost: branches to publish though a message of theirs is under way, see `SagaLog.dispatch_saga`.

    Does nothing where nothing remains, or where a worker has claimed what is next: that claim is
    answered. Under ``task_always_eager`` the saga runs here, to its end or until it waits for a signal. Raises
    `LogUnavailable`, and kombu's ``OperationalError`` with the broker away.
    """
    if celery_setting(app, "task_always_eager"):
        run_here(app, saga_id)
        return
    if plays_messages(
        app
    ):  # as with eager tasks it asks by itself, and is told of each branch once
        app.send_task(ADVANCE, kwargs={"saga_id": saga_id})
        return
    longest = settings_of(app).max_countdown
    answer = log_of(app).dispatch_saga(saga_id, longest_wait=longest, lost=lost)
    if not isinstance(answer, Publish | None):
        answer = expanded(app, saga_id, answer, longest)
    publish_found(app, saga_id, answer)


def publish_found(app: Celery, saga_id: str, answer: Dispatched) -> None:
    """Publish what a dispatch found: of a stage each branch, whatever is raised for another one.

    Raises the first of that.
    """
    match answer:
        case Publish():
            publish(app, saga_id, answer)
        case Branches(found=found):
            chains = [each for each in found if isinstance(each, Publish)]
            with bringing(app, saga_id, chains[0].trace if chains else ""):
                publish_branches(app, saga_id, chains)
        case Ended():
            if tell_parent(app, saga_id, answer):
                advance(app, answer.parent)


def publish_branches(app: Celery, saga_id: str, chains: Sequence[Publish]) -> None:
    """Publish these chains, those that differ by their numbers and items alone in one pass; otherwise as `publish_found`."""
    errors = []
    groups: dict[Hashable, list[Publish]] = {}
    for each in chains:
        groups.setdefault(fast_path.alike(each), []).append(each)
    left: list[Publish] = []
    with publishing():
        for group in groups.values():
            try:
                if not fast_path.publish_branches(app, saga_id, group):
                    left += group
            except OperationalError:
                raise
            except Exception as error:  # noqa: BLE001 - a route of the app's own may raise anything
                errors.append(error)
        if left:
            try:
                publish_canvases(app, saga_id, left)
            except OperationalError:
                raise
            except Exception as error:  # noqa: BLE001
                errors.append(error)
        if errors:
            raise errors[0]


def publish(app: Celery, saga_id: str, what: Publish) -> None:
    """Publish a chain of these records, with `advance` as its error callback.

    Under ``task_always_eager`` the saga runs to its end here instead: Celery's eager chain knows no
    error callback that goes on.
    """
    with bringing(app, saga_id, what.trace) if what.trace else nullcontext():
        publish_many(app, [saga_id], what)


def publish_many(app: Celery, saga_ids: Sequence[str], what: Publish) -> None:
    """`publish` for many sagas of one definition that come to the same. Raises kombu's ``OperationalError`` with the broker away."""
    if celery_setting(app, "task_always_eager"):
        for saga_id in saga_ids:
            run_here(app, saga_id)
        return
    with publishing():
        if not fast_path.publish(app, saga_ids, what):
            for saga_id in saga_ids:
                publish_canvas(app, saga_id, what)


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
