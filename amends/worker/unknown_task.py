"""What becomes of a saga whose message met a worker that does not know its task."""

import logging
from typing import Any

from celery import Celery
from celery.signals import task_unknown

from amends.backend.app_identity import identity_of
from amends.backend.settings import is_configured, settings_of
from amends.definition.itinerary import is_path, is_saga_id
from amends.errors import ConfigurationError, LogUnavailable
from amends.log.saga_log import log_of

_logger = logging.getLogger(__name__)


@task_unknown.connect
def _note(sender: Any, message: Any, name: str, **_: Any) -> None:
    """Publish it again: another worker may know the task, as during a deploy. If none does, after several the saga is stuck.

    Celery drops such a message with a log line (``celery/worker/consumer/consumer.py``).
    """
    app = sender.app
    arguments = _arguments(message)
    if not is_configured(app) or arguments.keys() != {"saga_id", "step"}:
        return
    if not is_saga_id(arguments["saga_id"]) or not is_path(arguments["step"]):
        return
    saga_id, path = arguments["saga_id"], arguments["step"]
    try:
        log, most = log_of(app), settings_of(app).poison_after
        queue = _queue(app, message)
        elsewhere = any(
            each.app == identity_of(app) and each.takes(name, queue)  # a queue of that broker
            for each in log.profiles.read_live()
        )
        answer = log.note_unregistered(saga_id, path, task=name, most=most, elsewhere=elsewhere)
    except (LogUnavailable, ConfigurationError) as error:
        _logger.warning(
            "saga %s: its message was dropped, and is published again: %s", saga_id, error
        )
        return
    if answer == "parked":
        _logger.error("saga %s is stuck: no worker knows the task %s", saga_id, name)


def _queue(app: Celery, message: Any) -> str | None:
    """Name the queue that a message came from; None where its exchange routes by another key."""
    key = (message.delivery_info or {}).get("routing_key")
    return key if key in app.amqp.queues.consume_from else None


def _arguments(message: Any) -> dict[str, Any]:
    try:
        _, arguments, _ = message.payload
    except (TypeError, ValueError):  # a message of another protocol, and so none of ours
        return {}
    return arguments if isinstance(arguments, dict) else {}
