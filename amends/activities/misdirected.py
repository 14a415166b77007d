"""Messages whose record this worker is not to run.

One of another activity: a broker takes messages from whoever can reach it. One of a saga that a newer release wrote.
"""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from typing import Any

from celery.utils.log import get_task_logger

from amends.definition.serialization import error_json
from amends.dispatch.coordinator import advance
from amends.dispatch.messages import publishing_if_possible
from amends.errors import NotDone, UnreadableData
from amends.log.answers import Run
from amends.log.saga_log import SagaLog

_logger = get_task_logger(__name__)


def give_back(task: Any, log: SagaLog, claim: Run, saga_id: str, path: str, *, token: str) -> None:
    """End its claim, which spends no attempt, and publish the record's own one.

    Raises `LogUnavailable`.
    """
    error = NotDone(f"its message came to the task {task.name}, which is another activity's")
    _logger.error("saga %s: %s is not run: %s", saga_id, path, error)
    how: dict[str, Any] = {"wait": 0.0, "unknown": False, "cost": "nothing"}
    log.retry_step(saga_id, path, token=token, error=error_json(error), **how)
    branch = claim.itinerary.branch_of(path)
    with publishing_if_possible(saga_id):
        advance(task.app, saga_id, lost=[branch] if branch else ())


def leave_to_newer(
    log: SagaLog, saga_id: str, path: str, *, token: str, error: UnreadableData
) -> None:
    """End a claim of a saga whose plan this release cannot read: a sweep of another worker publishes again.

    Raises `LogUnavailable`.
    """
    _logger.warning("saga %s: %s is left to other workers: %s", saga_id, path, error)
    how: dict[str, Any] = {"wait": 0.0, "unknown": False, "cost": "unreadable"}
    log.retry_step(saga_id, path, token=token, error=error_json(error), **how)
