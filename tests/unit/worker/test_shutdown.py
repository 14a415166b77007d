"""What a worker that ends hands back, and what it leaves alone."""

from types import SimpleNamespace

import pytest
from celery.worker import state

from amends.dispatch.messages import ADVANCE
from amends.worker.shutdown import hand_back


class Request:
    """A message that a worker has fetched and not begun."""

    def __init__(self, channel):
        self.name = ADVANCE
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
        timer=SimpleNamespace(schedule=SimpleNamespace(queue=[])),
        connection_errors=(),
    )
    return SimpleNamespace(consumer=consumer)


def test_what_was_fetched_and_not_begun_goes_back(worker):
    request = Request(worker.consumer.task_consumer.channel)
    state.reserved_requests.add(request)
    hand_back(worker)
    assert (request.returned, request.acknowledged) == ([True], True)


def test_what_another_worker_of_this_process_has_fetched_is_left_to_it(worker):
    request = Request(object())
    state.reserved_requests.add(request)
    hand_back(worker)
    assert (request.returned, request.acknowledged) == ([], False)
