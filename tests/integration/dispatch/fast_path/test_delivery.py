"""A delivered message is the very one that Celery publishes, and where it may not be, Celery publishes it."""

import functools
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from celery import Celery, signals
from celery.app.amqp import AMQP
from kombu import VERSION as KOMBU
from kombu import Producer, Queue, pools

from amends.dispatch import fast_path
from amends.dispatch.canvas import publish_canvas
from amends.dispatch.fast_path import deliveries
from amends.dispatch.messages import producers_of
from amends.saga import definition
from demo.ports import free_port
from tests.integration.dispatch.fast_path.test_chain_template import CONFIGURATIONS, START, WHAT
from tests.support.engine_saga import Job, job_saga
from tests.support.published_messages import app_with, taken, what_remains

pytestmark = pytest.mark.fast_path

PUBLISHED = {
    "with events of what is sent",
    "compressed",
    "pickled",
    "routed by a function",
    "by a topic",
}


@pytest.fixture
def letters(redis_url):
    return with_log(redis_url)


def with_log(redis_url, **configuration):
    """Make an app whose broker and log are in one Redis."""
    pools.reset()  # a connection is shared by the apps of a process
    with redis.Redis.from_url(f"{redis_url}/4") as client:
        client.flushdb()
    app = app_with(f"{redis_url}/4", **{"amends_backend": f"{redis_url}/6", **configuration})
    with producers_of(app).acquire(block=True) as producer:
        producer.connection.connect()
    return app


def delivered(app, saga_id, what):
    """Put a message where a script would, and take it as a worker does."""
    (delivery,) = deliveries(app, [saga_id], what)
    queue, database, _ = delivery.destination
    url = app.conf.broker_url.rpartition("/")[0]
    with redis.Redis.from_url(f"{url}/{database}") as client:
        client.lpush(queue, delivery.text)
    return taken(app)


def canvas(app, saga_id, what):
    publish_canvas(app, saga_id, what)
    return taken(app)


@pytest.mark.parametrize("records", WHAT.values(), ids=WHAT)
@pytest.mark.parametrize("name", [name for name in CONFIGURATIONS if name not in PUBLISHED])
def test_it_is_the_message_that_the_canvas_makes(redis_url, name, records, saga_id):
    app, what = with_log(redis_url, **CONFIGURATIONS[name]), what_remains(records)
    if records[0][0] == "file":  # which is pickled
        assert deliveries(app, [saga_id], what) is None
        return
    made = canvas(app, saga_id, what)
    assert delivered(app, saga_id, what) == made
    assert delivered(app, saga_id, what) == made  # of the template that is kept


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_what_kombu_does_not_keep_as_such_a_text_is_published(redis_url, name, saga_id):
    app = with_log(redis_url, **CONFIGURATIONS[name])
    assert deliveries(app, [saga_id], what_remains(START)) is None


def test_each_message_has_a_tag_of_its_own(letters):
    made = deliveries(letters, ["a", "b"], what_remains(START))
    tags = {each.text.partition('"delivery_tag": "')[2][:36] for each in made}
    assert {len(tag) for tag in tags} == {36}
    assert len(tags) == 2


ELSEWHERE = {
    "another Redis": {"amends_backend": "redis://127.0.0.1:{free_port}/0"},
    "another user": {"amends_backend": "redis://somebody:secret@{address}/6"},
    "keys with a prefix": {"broker_transport_options": {"global_keyprefix": "mine"}},
    "eager": {"task_always_eager": True},
}
if KOMBU >= (5, 7):  # before, a message does not make its queue live longer
    ELSEWHERE["a queue that expires"] = {"task_queues": [Queue("celery", expires=60.0)]}


@pytest.mark.parametrize("configuration", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_the_log_cannot_deliver_is_published(redis_url, configuration, saga_id):
    app = with_log(redis_url, **configuration)
    address = redis_url.removeprefix("redis://")
    backend = app.conf.amends_backend.format(free_port=free_port(), address=address)
    app.conf.amends_backend = backend
    assert deliveries(app, [saga_id], what_remains(START)) is None


@pytest.mark.parametrize("signal", [signals.before_task_publish, signals.after_task_publish])
def test_it_is_published_while_somebody_listens(letters, signal, saga_id):
    assert deliveries(letters, [saga_id], what_remains(START))

    def listen(**_): ...

    signal.connect(listen)
    assert deliveries(letters, [saga_id], what_remains(START)) is None
    signal.disconnect(listen)
    assert deliveries(letters, [saga_id], what_remains(START))


def test_it_is_published_where_kombus_producer_is_wrapped(letters, monkeypatch, saga_id):
    inner = Producer.publish
    monkeypatch.setattr(Producer, "publish", functools.wraps(inner)(functools.partial(inner)))
    assert deliveries(letters, [saga_id], what_remains(START)) is None


def test_it_is_published_where_an_app_sends_by_something_else(redis_url, saga_id):
    class Post(AMQP):
        @property
        def send_task_message(self):
            return lambda *args, **options: super().send_task_message(*args, **options)

    class Office(Celery):
        amqp_cls = Post

    app = app_with(f"{redis_url}/4", of=Office, amends_backend=f"{redis_url}/6")
    assert deliveries(app, [saga_id], what_remains(START)) is None


def test_a_change_of_the_configuration_is_seen(letters, saga_id):
    assert deliveries(letters, [saga_id], what_remains(START))
    letters.conf.task_send_sent_event = True
    assert deliveries(letters, [saga_id], what_remains(START)) is None


def test_with_the_broker_away_it_is_left_to_be_published(saga_id):
    url = f"redis://127.0.0.1:{free_port()}"
    app = app_with(f"{url}/4", amends_backend=f"{url}/6")
    assert deliveries(app, [saga_id], what_remains(START)) is None


@pytest.mark.usefixtures("swept")
def test_a_saga_ends_without_a_publication(work, saga_id, monkeypatch):
    def run(saga_id):
        handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        assert handle.wait(timeout=60).outcome == "completed"

    def refuse(*_):
        pytest.fail("it was published")

    run(saga_id[::-1])  # it connects, if nothing has yet
    monkeypatch.setattr(definition, "publish_many", refuse)
    monkeypatch.setattr(fast_path, "publish", refuse)
    run(saga_id)
    assert work.records(saga_id) == ["a", "b", "c"]


@pytest.mark.usefixtures("swept")
def test_a_message_that_cannot_be_made_spoils_no_finished_step(work, saga_id, monkeypatch):
    def refuse(*_):
        raise ValueError("no message can be made of it")

    monkeypatch.setattr("amends.dispatch.fast_path.deliveries", refuse)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "c"]


def test_a_message_names_the_thread_and_the_process_that_made_it(letters, saga_id, monkeypatch):
    deliveries(letters, [saga_id], what_remains(START))
    monkeypatch.setattr("celery.utils.nodenames.anon_nodename", lambda: "gen7@forked")

    def made():
        return deliveries(letters, [saga_id], what_remains(START))[0].text, letters.thread_oid

    with ThreadPoolExecutor(1) as pool:
        text, thread = pool.submit(made).result()
    assert thread != letters.thread_oid
    assert f'"reply_to": "{thread}"' in text
    assert '"origin": "gen7@forked"' in text
