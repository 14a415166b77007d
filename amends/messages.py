"""How the engine's messages look: ids and paths, never data."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from celery import Celery, Task
from celery.canvas import Signature
from kombu.exceptions import OperationalError

from amends.config import celery_setting, settings_of
from amends.itinerary import RecordPlan

ADVANCE: Final = "amends.advance"
"""The Celery task that publishes what remains of a saga. Its code is the coordinator's."""


class _Worker:
    """Holds this worker's name, from its start to its end; the processes of its pool inherit it."""

    name = secrets.token_hex(6)


def name_worker() -> None:
    """Give this worker a name of its own."""
    _Worker.name = secrets.token_hex(6)


def worker_name() -> str:
    """Name this worker."""
    return _Worker.name


def claimer(message: str) -> str:
    """Name the owner of a claim: this worker, this process, and the message that it claims for."""
    return f"{_Worker.name}:{os.getpid()}:{message}"


TOKEN_HEADER: Final = "amends_token"  # noqa: S105 - a name
"""The header with the token of a claim whose answer never came."""
DEFERRALS_HEADER: Final = "amends_deferrals"
"""The header that counts how often a call of its own met an open circuit."""

_logger = logging.getLogger(__name__)


def task_id(saga_id: str, number: int, path: str) -> str:
    """Name a message so that a monitor can be read: ``<saga id>.<n>.<step>``, ``.undo`` and so on."""
    return f"{saga_id}.{number}.{path.replace(':', '.')}"


def advance_message(app: Celery, saga_id: str, number: int) -> Signature[Any]:
    """Build the message that makes a saga go on, whatever remains of it."""
    return app.signature(
        ADVANCE,
        kwargs={"saga_id": saga_id},
        immutable=True,
        options={
            "task_id": task_id(saga_id, number, "advance"),
            "queue": compensation_queue(app),
            "root_id": saga_id,
            "parent_id": saga_id,
        },
    )


@contextmanager
def publishing() -> Iterator[None]:
    """Publish inside, and have one error that says that the broker is away: kombu's ``OperationalError``."""
    try:
        yield
    except AttributeError as error:
        # kombu tries again on a channel that it has closed (kombu/messaging.py, Producer._publish).
        raise OperationalError(f"the connection to the broker was lost: {error}") from error


def send_advance(app: Celery, saga_id: str, number: int) -> None:
    """Send it. With the broker away the saga goes on when its due entry comes up."""
    try:
        with publishing():
            advance_message(app, saga_id, number).apply_async()
    except OperationalError as error:
        _logger.warning("saga %s goes on when it is due: the broker is away: %s", saga_id, error)


def compensation_queue(app: Celery) -> str:
    """Name the queue that undos and `advance` go to."""
    return settings_of(app).compensation_queue or celery_setting(app, "task_default_queue")


def own_queue(app: Celery, record: RecordPlan) -> str | None:
    """Name the queue that a record's message is sent to; None where Celery's routes decide."""
    return record.call.queue or (compensation_queue(app) if record.undoes else None)


def queue_of(app: Celery, record: RecordPlan) -> str | None:
    """Name the queue that a record's message goes to; None where a route names no queue."""
    if queue := own_queue(app, record):
        return queue
    router: Any = app.amqp.router
    if not router.routes:
        return str(celery_setting(app, "task_default_queue"))
    routed = router.route({}, record.call.task).get("queue")
    return getattr(routed, "name", None)


def stop_chain(task: Task[Any, Any]) -> None:
    """Let a task end without its chain's next link.

    `Ignore` would leave the task STARTED in Flower for ever.
    """
    task.request.chain = None
