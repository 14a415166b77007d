"""Attempts that are abandoned by what runs them, while their process lives on."""

from celery import Celery
from celery.utils.log import get_task_logger

from amends.activities.attempt import Attempt
from amends.activities.raised import ends_process, is_killed_greenlet
from amends.backend.settings import settings_of
from amends.errors import ConfigurationError, LogUnavailable
from amends.log.owner import WorkerProcess

_logger = get_task_logger(__name__)


def abandon(app: Celery, attempt: Attempt, error: BaseException) -> None:
    """Count an attempt that an error broke off: the kill of its greenlet, or a fault of the engine.

    A sweep would take it for one whose result could not be written, which costs nothing: it would be called for ever. One
    whose process ends, or could not write its result, is left to the sweep.
    """
    is_swept = ends_process(error) and not is_killed_greenlet(error)
    if is_swept or isinstance(error, LogUnavailable | ConfigurationError):
        return
    if WorkerProcess.current.is_ending.value:  # Celery kills what runs
        return
    try:
        attempt.break_off(error, poison_after=settings_of(app).poison_after)
    except Exception:
        _logger.exception("an attempt was broken off, which is not in its history")
