"""What a worker's channel holds of the messages that it has fetched, on a real Redis."""

import json

import pytest
from celery import shared_task
from kombu import Connection

from amends.dispatch.messages import advance_message
from amends.worker.unacked import InMemoryQoS, hold_in_memory
from tests.support.engine_saga import Job, do_a

LINK = {"saga_id": "order-1047", "step": "a"}


@shared_task
def foreign() -> None:
    """Do nothing, as a task that the engine knows nothing of."""


@pytest.fixture
def channel(app, broker):
    broker.flushdb()
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        hold_in_memory(channel, app.tasks)
        app.amqp.queues["work"].bind(channel).declare()
        app.amqp.queues["undo"].bind(channel).declare()
        yield channel
    broker.flushdb()


def fetched(channel, queue="work"):
    message = channel.basic_get(queue)
    assert message is not None
    return message


def test_a_message_of_a_saga_is_held_in_memory_alone(channel, broker):
    do_a.task.apply_async(kwargs=LINK)
    message = fetched(channel)
    assert not broker.exists("unacked", "unacked_index", "work")
    message.ack()
    channel.qos.restore_unacked_once()
    assert not broker.exists("unacked", "unacked_index", "work")


@pytest.mark.parametrize(
    "send",
    [
        lambda app: foreign.delay(),
        lambda app: do_a.delay(Job(job_id="alone")),
        lambda app: app.send_task("nobody.knows.it", kwargs=LINK, queue="work"),
        lambda app: do_a.task.apply_async(kwargs=LINK, serializer="pickle"),
    ],
    ids=["of another task", "of a call on its own", "of an unknown task", "that is not to be read"],
)
def test_a_message_is_kept_in_the_broker(app, channel, broker, send):
    send(app)
    message = fetched(channel)
    assert broker.hkeys("unacked") == [message.delivery_tag.encode()]
    message.ack()
    assert not broker.exists("unacked", "unacked_index", "work")


def test_so_is_one_that_makes_a_saga_go_on(app, channel, broker):
    advance_message(app, "order-1047", 3).apply_async()
    message = fetched(channel, "undo")
    assert broker.hexists("unacked", message.delivery_tag)


def test_a_message_that_is_rejected_goes_back_to_its_queue(channel, broker):
    do_a.task.apply_async(kwargs=LINK)
    first = fetched(channel)
    first.reject(requeue=True)
    assert broker.llen("work") == 1
    again = fetched(channel)
    assert again.payload == first.payload
    assert again.headers["redelivered"]
    assert not broker.exists("unacked")


def test_it_goes_back_to_the_queue_of_its_priority(channel, broker):
    do_a.task.apply_async(kwargs=LINK, priority=9)
    (queue,) = broker.keys("work*")
    fetched(channel).reject(requeue=True)
    assert broker.keys("work*") == [queue]


def test_one_that_is_rejected_for_good_is_gone(channel, broker):
    do_a.task.apply_async(kwargs=LINK)
    fetched(channel).reject()
    channel.qos.restore_unacked_once()
    assert not broker.exists("unacked", "work")


def test_a_channel_that_is_closed_gives_all_of_them_back(app, channel, broker):
    ids = {do_a.task.apply_async(kwargs=LINK).id for _ in range(3)}
    ids.add(foreign.delay().id)
    for _ in ids:
        fetched(channel)
    assert not broker.exists("work")
    channel.close()
    kept = {json.loads(text)["headers"]["id"] for text in broker.lrange("work", 0, -1)}
    assert kept == ids
    assert not broker.exists("unacked")


def test_the_number_that_may_be_fetched_counts_them(channel):
    channel.basic_qos(prefetch_count=1)
    do_a.task.apply_async(kwargs=LINK)
    message = fetched(channel)
    assert not channel.qos.can_consume()
    message.ack()
    assert channel.qos.can_consume()


@pytest.mark.fast_path
def test_a_worker_holds_them_so(worker):
    assert isinstance(worker.consumer.task_consumer.channel.qos, InMemoryQoS)


def test_a_channel_of_another_transport_stays_as_it_is(app):
    with Connection("memory://") as connection:
        kind = type(connection.default_channel.qos)
        hold_in_memory(connection.default_channel, app.tasks)
        assert type(connection.default_channel.qos) is kind


def test_a_redis_without_acknowledgements_stays_as_it_is(app, redis_url):
    options = {"ack_emulation": False}
    with Connection(f"{redis_url}/2", transport_options=options) as connection:
        kind = type(connection.default_channel.qos)
        hold_in_memory(connection.default_channel, app.tasks)
        assert type(connection.default_channel.qos) is kind
