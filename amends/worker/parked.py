"""Parked sagas go on by themselves where this worker can run what comes next."""

import logging

from celery import Celery

from amends.dispatch.coordinator import advance
from amends.dispatch.routing import queue_of
from amends.errors import UnreadableData
from amends.log.answers import Advance
from amends.log.in_flight import Parked
from amends.log.saga_log import SagaLog, log_of

_logger = logging.getLogger(__name__)


def unpark(app: Celery, saga_id: str, parked: Parked) -> None:
    """Let a parked saga go on, if this worker gets the next task, knows it, and can read its input."""
    log = log_of(app)
    if not _can_run(app, log, saga_id, parked):
        return
    if isinstance(log.unpark_saga(saga_id), Advance):
        _logger.warning("saga %s goes on: this worker can run %s", saga_id, parked.path)
        advance(app, saga_id)


def _can_run(app: Celery, log: SagaLog, saga_id: str, parked: Parked) -> bool:
    record = parked.itinerary.records[parked.path]
    activity = getattr(app.tasks.get(record.call.task), "activity", None)
    if activity is None:
        return False
    if queue_of(app, record, saga_id) not in (None, *app.amqp.queues.consume_from):
        return False
    entry = log.read_saga(saga_id)
    try:
        record.arguments(
            activity.parameters, entry.sources, entry.output_of(record.compensated_path)
        )
    except UnreadableData:
        return False
    return True
