"""What a message is asked for, by the broker that it goes to."""

import pytest
from celery import Celery
from kombu import Queue

from amends.dispatch.messages import countdown_of

QUORUM = [Queue("work", queue_arguments={"x-queue-type": "quorum"})]


@pytest.mark.parametrize(
    ("broker", "queues", "asked", "given"),
    [
        *(("amqp://", QUORUM, *each) for each in [(0.0, 0.0), (0.2, 1.0), (1.0, 1.0), (2.1, 3.0)]),
        ("amqp://", [Queue("work")], 0.2, 0.2),
        ("redis://", QUORUM, 0.2, 0.2),
        ("memory://", None, 0.2, 0.2),
    ],
)
def test_a_wait_is_rounded_up_where_the_broker_counts_in_seconds(broker, queues, asked, given):
    app = Celery("waiting", broker=broker, set_as_current=False)
    if queues:
        app.conf.task_queues = queues
    assert countdown_of(app, asked) == given
