"""What a worker that is asked to end hands back to the broker: messages that it has fetched and not begun."""

import logging
from collections.abc import Iterator
from typing import Any

from celery.worker import state
from celery.worker.request import Request
from kombu.common import ignore_errors

from amends.activities.task import ActivityTask
from amends.dispatch.messages import ADVANCE, is_in_saga

_logger = logging.getLogger(__name__)


def hand_back(worker: Any) -> None:
    """Fetch no more messages, and give those of sagas to other workers now.

    Celery gives them back when its last task has ended: a saga would wait for a step of another one.
    A pool that begins one of them after all does no harm, as only one claim is admitted.
    """
    consumer = worker.consumer
    if consumer is None or consumer.task_consumer is None:  # it never began, or its broker is away
        return
    ignore_errors(consumer, consumer.task_consumer.cancel)
    own, count = consumer.task_consumer.channel, 0
    for request in _fetched(consumer):
        # Two workers of one process, as in tests, share the sets of requests, and a channel bears one thread.
        if request.message.channel is not own:
            continue
        if _is_ours(request) and not request.message.acknowledged:
            # `request.reject` leaves it to a loop that has ended.
            request.message.reject_log_error(_logger, consumer.connection_errors, requeue=True)
            request.acknowledged = True
            count += 1
    _logger.info("messages handed back: %d", count)


def _fetched(consumer: Any) -> Iterator[Request]:
    yield from list(state.reserved_requests - state.active_requests)
    # Those with a countdown, as ``celery inspect scheduled`` finds them.
    for waiting in list(consumer.timer.schedule.queue):
        request = next(iter(waiting.entry.args or ()), None)
        if isinstance(request, Request):
            waiting.entry.cancel()
            yield request


def _is_ours(request: Any) -> bool:
    return request.name == ADVANCE or (
        isinstance(request.task, ActivityTask) and is_in_saga(request.args, request.kwargs)
    )
