"""What a worker that is asked to end hands back to the broker: messages that it has fetched and not begun."""

import logging
from typing import Any

from celery.worker import state
from celery.worker.request import Request
from kombu.common import ignore_errors

from amends.activities.task import ActivityTask
from amends.dispatch.messages import ADVANCE, is_in_saga
from amends.worker.in_hand import cancel_countdowns, waiting

_logger = logging.getLogger(__name__)


def hand_back(worker: Any) -> list[str]:
    """Fetch no more messages, and give those of sagas to other workers now. Returns the ids of those.

    Celery gives them back when its last task has ended: a saga would wait for a step of another one.
    A pool that begins one of them after all does no harm, as only one claim is admitted.
    """
    consumer = worker.consumer
    if consumer is None or consumer.task_consumer is None:  # it never began, or its broker is away
        return []
    ignore_errors(consumer, consumer.task_consumer.cancel)
    own, returned = consumer.task_consumer.channel, []
    for request in _fetched(consumer):
        # Two workers of one process, as in tests, share the sets of requests, and a channel bears one thread.
        if request.message.channel is not own:
            continue
        if _is_ours(request) and not request.message.acknowledged:
            # `request.reject` leaves it to a loop that has ended.
            request.message.reject_log_error(_logger, consumer.connection_errors, requeue=True)
            request.acknowledged = True
            returned.append(request.id)
    _logger.info("messages handed back: %d", len(returned))
    return returned


def _fetched(consumer: Any) -> list[Request]:
    fetched = [*(state.reserved_requests - state.active_requests), *waiting(consumer)]
    cancel_countdowns(consumer)
    return fetched


def _is_ours(request: Any) -> bool:
    return request.name == ADVANCE or (
        isinstance(request.task, ActivityTask) and is_in_saga(request.args, request.kwargs)
    )
