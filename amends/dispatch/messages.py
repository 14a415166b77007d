"""How the engine's messages look: ids and paths, never data."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from celery import Celery, Task
from celery.canvas import Signature
from kombu.exceptions import OperationalError

from amends.backend.fast_path import is_lost_connection
from amends.backend.settings import compensation_queue

ADVANCE: Final = "amends.advance"
"""The Celery task that publishes what remains of a saga. Its code is the coordinator's."""

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
        if not is_lost_connection(error):
            raise
        raise OperationalError(f"the connection to the broker was lost: {error}") from error


def send_advance(app: Celery, saga_id: str, number: int) -> None:
    """Send it. With the broker away the saga goes on when its due entry comes up."""
    try:
        with publishing():
            advance_message(app, saga_id, number).apply_async()
    except OperationalError as error:
        _logger.warning("saga %s goes on when it is due: the broker is away: %s", saga_id, error)


def stop_chain(task: Task[Any, Any]) -> None:
    """Let a task end without its chain's next link.

    `Ignore` would leave the task STARTED in Flower for ever.
    """
    task.request.chain = None


def is_in_saga(args: Any, kwargs: Any) -> bool:
    """Tell by a message's arguments whether it is a saga's."""
    return not args and bool(kwargs) and kwargs.keys() == {"saga_id", "step"}
