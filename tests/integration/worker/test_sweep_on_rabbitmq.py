"""What recovery asks of a broker, asked of a RabbitMQ."""

import uuid

import pytest
from celery import Celery
from kombu import Producer

from amends.dispatch.broker import queue_length, queue_lengths
from tests.support.eventually import eventually


@pytest.fixture
def app(redis_url, rabbitmq_url):
    app = Celery("asking", broker=rabbitmq_url, set_as_current=False)
    app.conf.update(amends_backend=f"{redis_url}/6")
    yield app
    app.close()


@pytest.fixture
def queue(app):
    """Give a queue of the test's own, as Celery declares them."""
    name = uuid.uuid4().hex
    with app.connection_for_write() as connection:
        declared = app.amqp.queues[name].bind(connection.default_channel)
        declared.declare()
        yield declared
        declared.delete()


def publish(queue):
    Producer(queue.channel).publish({}, routing_key=queue.name)


def test_a_queue_has_as_many_messages_as_nobody_has_fetched(app, queue):
    assert queue_length(app, queue.name) == 0
    for _ in range(3):
        publish(queue)
    eventually(lambda: queue_length(app, queue.name) == 3)
    assert queue.get() is not None
    assert queue_length(app, queue.name) == 2


def test_a_queue_that_is_not_there_has_none_and_those_asked_for_next_are_counted(app, queue):
    publish(queue)
    assert queue_length(app, "no such queue") == 0
    assert queue_length(app, queue.name) == 1


def test_one_connection_is_asked_for_many_queues_though_some_are_not_there(app, queue):
    publish(queue)
    wanted = ["no such queue", queue.name, "nor this one"]
    assert queue_lengths(app, wanted) == {"no such queue": 0, queue.name: 1, "nor this one": 0}
