"""What a worker that ends hands back, and what it leaves alone."""

from types import SimpleNamespace

import pytest
from celery.worker import state
from celery.worker.request import Request as CeleryRequest
from kombu.asynchronous.timer import Timer
from kombu.utils.limits import TokenBucket

from amends.dispatch.messages import ADVANCE
from amends.worker.shutdown import hand_back


class Request:
    """A message that a worker has fetched and not begun."""

    def __init__(self, channel):
        self.name = ADVANCE
        self.id = "trip-1.1.advance"
        self.acknowledged = False
        self.returned = []
        self.message = SimpleNamespace(
            channel=channel, acknowledged=False, reject_log_error=self._return
        )

    def _return(self, *_, requeue):
        self.returned.append(requeue)


@pytest.fixture
def worker():
    consumer = SimpleNamespace(
        task_consumer=SimpleNamespace(channel=object(), cancel=lambda: None),
        timer=Timer(),
        task_buckets={},
        connection_errors=(),
    )
    return SimpleNamespace(consumer=consumer)


def test_what_was_fetched_and_not_begun_goes_back(worker):
    request = Request(worker.consumer.task_consumer.channel)
    state.reserved_requests.add(request)
    hand_back(worker)
    assert (request.returned, request.acknowledged) == ([True], True)


class WaitingRequest(Request, CeleryRequest):
    """One that the consumer keeps from the pool."""

    message = id = name = None  # of Celery's, some are properties

    def __init__(self, channel):
        Request.__init__(self, channel)


def test_what_waits_for_its_countdown_goes_back_and_does_not_begin_when_it_is_over(worker):
    """Its timer would run it here, while another worker has it."""
    begun = []
    request = WaitingRequest(worker.consumer.task_consumer.channel)
    worker.consumer.timer.call_at(0, begun.append, (request,))
    hand_back(worker)
    assert (request.returned, request.acknowledged) == ([True], True)
    for _, entry in zip(range(3), worker.consumer.timer, strict=False):
        if entry[1] is not None:
            entry[1]()
    assert begun == []


def test_other_timers_of_the_consumer_go_on(worker):
    begun = []
    worker.consumer.timer.call_at(0, begun.append, ("a heartbeat",))
    hand_back(worker)
    _, entry = next(iter(worker.consumer.timer))
    entry()
    assert begun == ["a heartbeat"]


def test_what_waits_for_the_rate_limit_of_its_task_goes_back(worker):
    request = WaitingRequest(worker.consumer.task_consumer.channel)
    bucket = TokenBucket(1.0)
    bucket.add((request, 1))
    worker.consumer.task_buckets |= {"pay": bucket, "unlimited": None}
    assert hand_back(worker) == [request.id]
    assert request.returned == [True]


def test_what_another_worker_of_this_process_has_fetched_is_left_to_it(worker):
    request = Request(object())
    state.reserved_requests.add(request)
    hand_back(worker)
    assert (request.returned, request.acknowledged) == ([], False)
