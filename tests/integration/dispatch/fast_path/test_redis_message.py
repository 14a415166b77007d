"""What is pushed to Redis as kept text is what Celery and kombu write there, to the last byte but the tag's."""

import base64
import functools
import json
import os
from zlib import crc32

import pytest
import redis
from celery import Celery, signals
from celery.app.amqp import AMQP
from celery.app.routes import Router
from celery.events import EventDispatcher
from kombu import VERSION as KOMBU
from kombu import Producer, Queue
from kombu.connection import ConnectionPool
from kombu.serialization import register, register_json, unregister
from kombu.transport.redis import Channel
from redis.exceptions import ConnectionError as RedisAway

from amends.backend.connection import KeptConnections
from amends.dispatch.canvas import publish_canvas
from amends.dispatch.coordinator import publish, publish_many
from amends.dispatch.fast_path import chain_template as preparation
from amends.dispatch.fast_path.chain_template import ChainTemplate, push
from amends.dispatch.messages import producers_of
from tests.support.published_messages import all_taken, app_with, pay, taken, what_remains

pytestmark = pytest.mark.fast_path

KEPT = {
    "as it comes": {},
    "routed by name": {"task_routes": {"*.pay": {"queue": "money", "priority": 4}}},
    "routed by name, not persistent": {
        "task_routes": [{pay.name: {"queue": "for-pay", "delivery_mode": 1}}]
    },
    "without a retry": {"task_publish_retry": False},
    "not persistent": {"task_default_delivery_mode": "transient"},
    "with priorities": {"task_default_priority": 5},
    "under a prefix": {"broker_transport_options": {"global_keyprefix": "shop-"}},
    "with other steps of priority": {
        "broker_transport_options": {"priority_steps": [0, 5], "sep": ":"},
        "task_default_priority": 9,
    },
    "under a name with signs of a format": {"task_default_queue": "100%(saga)s"},
}

LEFT = {
    "compressed": {"task_compression": "gzip"},
    "by a topic": {
        "task_default_exchange": "themes",
        "task_default_exchange_type": "topic",
        "task_default_routing_key": "theme.one",
        "task_default_queue": "themed",
        "task_queues": {
            "themed": {"exchange": "themes", "exchange_type": "topic", "routing_key": "theme.one"}
        },
    },
    "to a queue that is removed": {
        "task_queues": [Queue("hasty", auto_delete=True)],
        "task_default_queue": "hasty",
    },
}
if KOMBU >= (5, 7):  # before, a message does not make its queue live longer
    LEFT["to a queue that expires"] = {
        "task_queues": [Queue("brief", expires=600.0)],
        "task_default_queue": "brief",
    }

START = [("pay", 0), ("tell", 0), ("file", 0), ("check", 0)]
OTHERS = {
    "a way on": [("tell", 3), ("file", 0), ("check", 0)],
    "the last": [("check", 1)],
    "an undo": [("pay:undo", 2)],
}


@pytest.fixture
def url(redis_url):
    return f"{redis_url}/4"


@pytest.fixture(autouse=True)
def server(url):
    """Give a client of the broker, where no message is left, and where this process has a connection to it."""
    with redis.Redis.from_url(url) as client:
        remove_lists(client)
        with producers_of(app_with(url)).acquire(block=True) as producer:
            assert producer.channel.client.ping()
        yield client


@pytest.fixture
def kept(monkeypatch):
    """Note of each publication whether it was of kept text."""
    found, write = [], ChainTemplate.write

    def note(*arguments):
        found.append(write(*arguments))
        return found[-1]

    monkeypatch.setattr(ChainTemplate, "write", note)
    return found


def left_by(server, way, *arguments):
    """Publish; answers all lists in Redis then, their messages as they are but for the tags, and which will expire."""
    remove_lists(server)
    way(*arguments)
    return {
        key: ([without_tag(each) for each in server.lrange(key, 0, -1)], server.ttl(key) > 0)
        for key in server.scan_iter(_type="list")
    }


def remove_lists(server):
    for key in server.scan_iter(_type="list"):
        server.delete(key)


def without_tag(text):
    tag = json.loads(text)["properties"]["delivery_tag"].encode()
    assert text.count(tag) == 1
    return text.replace(tag, b"TAG")


@pytest.mark.parametrize("configuration", KEPT.values(), ids=KEPT)
def test_the_kept_text_is_what_kombu_writes(url, server, configuration, kept, saga_id):
    app, what = app_with(url, **configuration), what_remains(START)
    made = left_by(server, publish_canvas, app, saga_id, what)
    for _ in range(3):
        assert left_by(server, publish, app, saga_id, what) == made != {}
    assert kept == [True] * 3


@pytest.mark.parametrize("records", OTHERS.values(), ids=OTHERS)
def test_so_it_is_of_other_messages(url, server, records, kept, saga_id):
    app, what = app_with(url), what_remains(records)
    made = left_by(server, publish_canvas, app, saga_id, what)
    assert left_by(server, publish, app, saga_id, what) == made
    assert kept == [True]


@pytest.mark.parametrize("configuration", LEFT.values(), ids=LEFT)
def test_where_more_is_to_be_done_kombu_does_it(url, server, configuration, kept, saga_id):
    app, what = app_with(url, **configuration), what_remains(START)
    made = left_by(server, publish_canvas, app, saga_id, what)
    for _ in range(2):
        assert left_by(server, publish, app, saga_id, what) == made
    assert kept == [False] * 2


@pytest.mark.parametrize("records", [START, [("file", 0), ("check", 0)]])
def test_a_serializer_that_writes_no_text_is_used_each_time(url, records, kept, saga_id):
    app = app_with(url, task_serializer="pickle")
    for _ in range(2):
        publish(app, saga_id, what_remains(records))
        assert taken(app)["content"] == ("application/x-python-serialize", "binary")
    assert kept == [False] * 2


def backwards(text):
    return base64.b64encode(text.encode()).decode()[::-1]


TEXTS = {  # as signatures, YAML and encryption do, none of which need be installed
    "of its own": ("application/x-backwards", lambda made: backwards(json.dumps(made))),
    "that is signed": (
        "application/json",
        lambda made: json.dumps(
            {"body": json.dumps(made), "sum": crc32(json.dumps(made).encode())}
        ),
    ),
    "that is encrypted": ("application/json", lambda made: backwards(json.dumps(made))),
}


@pytest.fixture
def texts():
    """Register a serializer, which may stand for JSON, until the end of the test."""
    yield functools.partial(register, "texts")
    unregister("texts")
    register_json()


@pytest.mark.parametrize(("kind", "dumps"), TEXTS.values(), ids=TEXTS)
def test_a_text_that_is_another_one_for_each_saga_is_written_anew(
    url, server, kept, texts, kind, dumps
):
    texts(dumps, str, content_type=kind, content_encoding="utf-8")
    app = app_with(url, task_serializer="texts")
    for saga_id in ("1047", "2024-05-01"):
        made = left_by(server, publish_canvas, app, saga_id, what_remains(START))
        assert left_by(server, publish, app, saga_id, what_remains(START)) == made != {}
    assert kept == [False] * 2


def test_a_queue_is_declared_with_its_first_message(url, server, kept, saga_id):
    publish(app_with(url, task_default_queue="new"), saga_id, what_remains(START))
    assert server.exists("_kombu.binding.new") == 1
    assert kept == [True]


def test_another_default_queue_is_gone_to_from_then_on(url, server, kept, saga_id):
    app, what = app_with(url, task_default_queue="former"), what_remains(START)
    left_by(server, publish, app, saga_id, what)
    app.conf.task_default_queue = "latter"
    made = left_by(server, publish_canvas, app, saga_id, what)
    assert left_by(server, publish, app, saga_id, what) == made
    assert list(made) == [b"latter"]
    assert kept == [True] * 2


def test_many_are_pushed_in_their_order(url, server, kept, saga_id):
    app, what = app_with(url), what_remains(START)
    ids = [f"{saga_id}-{number}" for number in range(250)]

    def publish_canvases():
        for each in ids:
            publish_canvas(app, each, what)

    made = left_by(server, publish_canvases)
    assert left_by(server, publish_many, app, ids, what) == made
    assert kept == [True]


@pytest.mark.parametrize("name", ["before_task_publish", "after_task_publish", "task_sent"])
def test_who_hears_of_messages_hears_of_each(url, monkeypatch, saga_id, name):
    app, heard = app_with(url), []

    def hear(sender, **_):
        heard.append(sender)

    publish(app, saga_id, what_remains(START))
    signal = getattr(signals, name)
    signal.connect(hear)
    try:
        publish(app, saga_id, what_remains(START))
    finally:
        signal.disconnect(hear)
    assert heard == [pay.name]


def test_events_of_what_is_sent_are_sent(url, monkeypatch, saga_id):
    app, sent = app_with(url, task_send_sent_event=True), []
    monkeypatch.setattr(
        EventDispatcher, "publish", lambda _, kind, fields, *__, **___: sent.append(fields["uuid"])
    )
    for _ in range(2):
        publish(app, saga_id, what_remains(START))
    assert sent == [f"{saga_id}.98.pay"] * 2


@pytest.mark.parametrize("name", ["publish", "_publish"])
def test_what_is_wrapped_around_kombu_hears_of_the_message(url, monkeypatch, saga_id, name):
    app, inner, heard = app_with(url), getattr(Producer, name), []

    @functools.wraps(inner)
    def traced(*args, **options):
        heard.append(name)
        return inner(*args, **options)

    publish(app, saga_id, what_remains(START))
    monkeypatch.setattr(Producer, name, traced)
    publish(app, saga_id, what_remains(START))
    assert heard == [name]


@pytest.mark.parametrize("name", ["_put", "basic_publish"])
def test_a_channel_with_a_way_of_its_own_has_it(url, monkeypatch, saga_id, name):
    app, inner, heard = app_with(url), getattr(Channel, name), []

    def its_own(*args, **options):
        heard.append(name)
        return inner(*args, **options)

    monkeypatch.setattr(Channel, name, its_own)
    for _ in range(2):
        publish(app, saga_id, what_remains(START))
    assert heard == [name] * 2


def test_an_app_may_have_a_sender_of_its_own(url, saga_id):
    sent = []

    class Post(AMQP):
        def _create_task_sender(self):
            send = super()._create_task_sender()

            def note(*args, **options):
                sent.append(args[1])
                return send(*args, **options)

            return note

    class Postman(Celery):
        amqp_cls = Post

    app = app_with(url, of=Postman)
    for _ in range(2):
        publish(app, saga_id, what_remains(START))
    assert sent == [pay.name] * 2


def test_a_sender_may_be_put_in_the_place_of_celerys(url, saga_id):
    app, sent = app_with(url), []
    publish(app, saga_id, what_remains(START))
    send = app.amqp.send_task_message
    app.amqp.send_task_message = lambda *args, **options: sent.append(send(*args, **options))
    publish(app, saga_id, what_remains(START))
    assert len(sent) == 1


def test_an_app_may_have_a_router_of_its_own(url, saga_id):
    queues = iter(["money", "for-pay"])

    class Alternating(Router):
        def route(self, options, *about, **more):
            return super().route({**options, "queue": next(queues)}, *about, **more)

    app = app_with(url)
    app.amqp.router = Alternating(queues=app.amqp.queues, app=app)
    for queue in ("money", "for-pay"):
        publish(app, saga_id, what_remains(START))
        assert taken(app)["queue"] == queue


def test_an_app_may_have_a_producer_of_its_own(redis_url, saga_id):
    sent = []

    class Noting(Producer):
        def publish(self, *args, **options):
            sent.append(options["routing_key"])
            return super().publish(*args, **options)

    app = app_with(f"{redis_url}/12")  # whose connections no other test has
    app.amqp.producer_pool.Producer = Noting
    for _ in range(2):
        publish(app, saga_id, what_remains(START))
    assert sent == ["celery"] * 2


def test_a_function_that_routes_is_asked_each_time(url, saga_id):
    queues = iter(["money", "for-pay"])
    app = app_with(url, task_routes=(lambda *_, **__: {"queue": next(queues)},))
    for queue in ("money", "for-pay"):
        publish(app, saga_id, what_remains(START))
        assert taken(app)["queue"] == queue


def test_a_change_of_routes_is_seen(url, kept, saga_id):
    app = app_with(url)
    for queue in ("money", "for-pay"):
        app.conf.update(task_routes={"*.pay": queue})
        publish(app, saga_id, what_remains(START))
        assert taken(app)["queue"] == queue
    assert kept == [True] * 2


def test_what_may_not_have_arrived_is_published_by_kombu(url, monkeypatch, saga_id):
    app = app_with(url)

    def break_off(*arguments):
        push(*arguments)
        raise RedisAway("the answer was lost")

    publish(app, saga_id, what_remains(START))
    first = taken(app)
    monkeypatch.setattr(preparation, "push", break_off)
    publish(app, saga_id, what_remains(START))
    assert all_taken(app) == [first] * 2


def test_where_all_connections_are_taken_celery_waits_for_one(url, monkeypatch, kept, saga_id):
    acquire = ConnectionPool.acquire

    def have_none_at_once(pool, *, block=False, **how):
        if not block:
            raise pool.LimitExceeded(pool.limit)
        return acquire(pool, block=block, **how)

    monkeypatch.setattr(ConnectionPool, "acquire", have_none_at_once)
    app = app_with(url)
    publish(app, saga_id, what_remains(START))
    assert taken(app)["headers"]["root_id"] == saga_id
    assert kept == [False]


def test_a_connection_is_given_back(url, kept, saga_id):
    app = app_with(url)
    for _ in range(app.pool.limit + 1):
        publish(app, saga_id, what_remains(START))
    assert kept == [True] * (app.pool.limit + 1)


def test_a_connection_lost_as_the_text_is_made_publishes_no_stand_in(
    url, server, monkeypatch, saga_id
):
    declare = Channel.queue_declare

    def lose(*arguments, **options):
        monkeypatch.setattr(Channel, "queue_declare", declare)
        raise RedisAway("the answer was lost")

    monkeypatch.setattr(Channel, "queue_declare", lose)
    app, what = app_with(url, task_default_queue="undeclared"), what_remains(START)
    found = left_by(server, publish, app, saga_id, what)
    assert found == left_by(server, publish_canvas, app, saga_id, what)


def test_a_forked_process_does_not_write_over_its_parents_connection(
    url, monkeypatch, kept, saga_id
):
    app, what, used = app_with(url), what_remains(START), []
    ask = KeptConnections.ask

    def note(lines, *command):
        used.append(ask(lines, "CLIENT", "ID"))
        return ask(lines, *command)

    monkeypatch.setattr(KeptConnections, "ask", note)
    publish(app, saga_id, what)
    publish(app, saga_id, what)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    publish(app, saga_id, what)
    assert used[0] == used[1] != used[2]
    assert kept == [True] * 3


def test_a_connection_that_was_lost_is_made_anew(url, server, saga_id):
    app = app_with(url)
    for _ in range(2):
        publish(app, saga_id, what_remains(START))
        assert taken(app)["headers"]["root_id"] == saga_id
        server.client_kill_filter(skipme=True, _type="normal")


def test_the_message_of_another_transport_is_kombus(rabbitmq_url, kept, saga_id):
    app = app_with(rabbitmq_url)
    for _ in range(2):
        publish(app, saga_id, what_remains(START))
        assert taken(app)["headers"]["id"] == f"{saga_id}.98.pay"
    assert kept == [False] * 2
