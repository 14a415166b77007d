"""What a worker has in hand: messages that it has fetched, and the queues that it fetches from."""

from collections.abc import Container, Iterator
from typing import Any

from celery.worker import state
from celery.worker.request import Request

from amends.activities.request import CANCELLED
from amends.log.heartbeats import MOST_TOLD


def messages_in_hand(consumer: Any, returned: Container[str] = ()) -> set[str] | None:
    """Name the messages that a worker has fetched or is at; None where they are too many to tell.

    All sets: on a lost connection Celery clears the one of what is fetched, and tasks run on.

    consumer: Celery's.
    returned: ids of messages that were put back, and count only if they run after all.
    """
    while True:
        try:
            fetched = {request.id for request in [*state.reserved_requests, *waiting(consumer)]}
            running = {request.id for request in [*state.active_requests, *CANCELLED]}
        except RuntimeError:  # another thread changed one meanwhile
            continue
        ids = running.union(each for each in fetched if each not in returned)
        return ids if len(ids) <= MOST_TOLD else None


def waiting(consumer: Any) -> Iterator[Request]:
    """Return what a worker has fetched and keeps from its pool: for a countdown, or for the rate limit of its task."""
    for entry in _timer_entries(consumer):
        request = next(iter(entry.args or ()), None)
        if isinstance(request, Request):
            yield request
    for bucket in list(getattr(consumer, "task_buckets", {}).values()):
        for request, _ in list(bucket.contents) if bucket else ():
            yield request


def cancel_countdowns(consumer: Any) -> None:
    """Let no message begin that waits for its countdown."""
    for entry in _timer_entries(consumer):
        if isinstance(next(iter(entry.args or ()), None), Request):
            entry.cancel()


def queues_consumed(consumer: Any) -> list[str] | None:
    """Name the queues that a worker fetches from; None before it begins, and while its connection is lost."""
    task_consumer = getattr(consumer, "task_consumer", None)
    return None if task_consumer is None else [queue.name for queue in task_consumer.queues]


def _timer_entries(consumer: Any) -> list[Any]:
    """Return the timer's entries, as ``celery inspect scheduled`` finds them."""
    timer = getattr(consumer, "timer", None)
    return [] if timer is None else [each.entry for each in list(timer.schedule.queue)]
