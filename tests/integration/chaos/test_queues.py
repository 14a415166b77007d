"""Hands on the messages that wait in a broker."""

import pytest
from celery import Celery

from demo.ports import free_port
from demo.servers import own_redis
from tests.chaos.queues import BrokerAway, RabbitQueues, RedisQueues
from tests.support.servers import own_rabbitmq

NAMES = ["left", "right"]


@pytest.fixture(scope="module")
def redis_broker(tmp_path_factory):
    with own_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url, RedisQueues(url, NAMES)


@pytest.fixture(scope="module")
def rabbitmq_broker(tmp_path_factory):
    with own_rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as url:
        yield url, RabbitQueues(int(url.rstrip("/").rpartition(":")[2]), NAMES)


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request):
    """Give each kind of broker in turn: an app that publishes there, and the hands on its queues."""
    url, queues = request.getfixturevalue(f"{request.param}_broker")
    app = Celery("queues", broker=url, set_as_current=False)
    app.conf.task_queues = {name: {"exchange": name, "routing_key": name} for name in NAMES}
    with app.connection_for_write() as connection:
        for queue in app.amqp.queues.values():
            queue.bind(connection.default_channel).declare()
            queue.bind(connection.default_channel).purge()
    yield app, queues
    app.close()


def send(app, task_id, queue="right"):
    app.send_task("t", queue=queue, task_id=task_id, kwargs={"saga_id": "s"})


def ids_in(queues):
    ids = []
    while sum(queues.lengths().values()):
        ids.append(queues.take(0).task_id)
    return ids


def test_messages_are_counted_by_queue(broker):
    app, queues = broker
    assert queues.lengths() == {"left": 0, "right": 0}
    for task_id in ("1", "2"):
        send(app, task_id)
    assert queues.lengths() == {"left": 0, "right": 2}


@pytest.mark.parametrize("draw", [0, 1])
def test_a_taken_message_is_gone_and_the_others_stay(broker, draw):
    app, queues = broker
    send(app, "1", "left")
    send(app, "2", "right")
    taken = queues.take(draw)
    assert (taken.queue, taken.task_id) == [("left", "1"), ("right", "2")][draw]
    assert sum(queues.lengths().values()) == 1


@pytest.mark.parametrize("fresh", [True, False])
def test_a_message_that_was_taken_can_be_delivered_twice(broker, fresh):
    app, queues = broker
    send(app, "1")
    taken = queues.take(0)
    queues.put(taken)
    queues.put(taken, fresh=fresh)
    assert queues.lengths()["right"] == 2
    assert ids_in(queues) == ["1", "1"]


def test_where_no_message_comes_none_is_taken(broker):
    _, queues = broker
    assert queues.take(0) is None


@pytest.mark.parametrize("kind", [RedisQueues, RabbitQueues])
def test_a_broker_that_is_away_is_said_to_be(kind):
    port = free_port()
    queues = kind(port if kind is RabbitQueues else f"redis://127.0.0.1:{port}/0", NAMES)
    for call in (queues.lengths, lambda: queues.take(0)):
        with pytest.raises(BrokerAway):
            call()
