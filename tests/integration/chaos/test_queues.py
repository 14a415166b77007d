"""Hands on the messages that wait in a broker."""

from functools import partial

import pytest
from celery import Celery
from redis import Redis

from demo.ports import free_port
from demo.servers import own_redis
from tests.chaos.queues import BrokerAway, RabbitQueues, RedisQueues
from tests.support.eventually import eventually

NAMES = ["left", "right"]


OPTIONS = {"global_keyprefix": "shop/", "priority_steps": [0, 3, 6, 9], "sep": ":"}
QUORUM = {"exchange_type": "topic", "queue_arguments": {"x-queue-type": "quorum"}}
KINDS = {
    "redis": ({}, {"priority_steps": [0], "sep": ":"}),
    "redis, with options": ({}, OPTIONS),
    "rabbitmq": ({}, {}),
    "rabbitmq, quorum": (QUORUM, {"confirm_publish": True}),
}


@pytest.fixture(scope="module")
def redis_broker(tmp_path_factory):
    with own_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url, lambda options: RedisQueues(partial(Redis.from_url, url), NAMES, options)


@pytest.fixture
def rabbitmq_broker(rabbitmq_url):
    port = int(rabbitmq_url.rstrip("/").rpartition(":")[2])
    return rabbitmq_url, lambda _: RabbitQueues(port, NAMES)


@pytest.fixture(params=KINDS)
def broker(request):
    """Give each kind of broker in turn: an app that publishes there, and the hands on its queues."""
    url, hands = request.getfixturevalue(f"{request.param.partition(',')[0]}_broker")
    queue_options, options = KINDS[request.param]
    app = Celery("queues", broker=url, set_as_current=False)
    app.conf.update(
        broker_transport_options=options,
        task_queues={
            name: {"exchange": name, "routing_key": name, **queue_options} for name in NAMES
        },
    )
    declared = list(app.amqp.queues.values())
    with app.connection_for_write() as connection:
        for queue in declared:
            queue.bind(connection.default_channel).declare()
    yield app, hands(options)
    with app.connection_for_write() as connection:
        for queue in declared:
            bound = queue.bind(connection.default_channel)
            bound.purge()
            bound.delete()
            bound.exchange.delete()
    app.close()


def send(app, task_id, queue="right"):
    priority = 3  # which has a list of its own where the options say so
    app.send_task("t", queue=queue, priority=priority, task_id=task_id, kwargs={"saga_id": "s"})


def taken_from(queues, count):
    """Take so many: one that was fetched beside another comes back a moment later, once that one's connection has ended."""
    return [eventually(lambda: queues.take(0)).task_id for _ in range(count)]


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
    assert taken.task_id == ["1", "2"][draw]
    assert ["left", "right"][draw] in taken.queue
    assert eventually(lambda: sum(queues.lengths().values())) == 1


@pytest.mark.parametrize("fresh", [True, False])
def test_a_message_that_was_taken_can_be_delivered_twice(broker, fresh):
    app, queues = broker
    send(app, "1")
    taken = queues.take(0)
    queues.put(taken)
    queues.put(taken, fresh=fresh)
    assert queues.lengths()["right"] == 2
    assert taken_from(queues, 2) == ["1", "1"]


def test_where_no_message_comes_none_is_taken(broker):
    _, queues = broker
    assert queues.take(0) is None


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_a_broker_that_is_away_is_said_to_be(kind):
    port = free_port()
    queues = {
        "redis": lambda: RedisQueues(partial(Redis, port=port), NAMES, {}),
        "rabbitmq": lambda: RabbitQueues(port, NAMES),
    }[kind]()
    for call in (queues.lengths, lambda: queues.take(0)):
        with pytest.raises(BrokerAway):
            call()
