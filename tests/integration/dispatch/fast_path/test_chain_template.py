"""A prepared message is the very one that Celery makes of the canvas, but for its delivery tag."""

import contextlib
import functools
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery, Task, signals
from kombu.exceptions import OperationalError

from amends import Saga, Step, activity
from amends.definition.itinerary import Itinerary
from amends.dispatch import coordinator as publication
from amends.dispatch.canvas import publish_canvas
from amends.dispatch.coordinator import publish
from amends.log.answers import Publish
from demo.ports import free_port
from tests.support.engine_saga import Job
from tests.support.published_messages import (
    app_with,
    letter_saga,
    pay,
    published,
    purge,
    taken,
    what_remains,
)

pytestmark = pytest.mark.fast_path


def route(name, args, kwargs, options, task=None, **_):
    """Route by what is the saga's own, and by what the task is."""
    if name.endswith("pay") and kwargs["saga_id"] and task is not None:
        return {"queue": f"for-{kwargs['step']}", "priority": 4}
    return None


CONFIGURATIONS = {
    "as it comes": {},
    "with events of what is sent": {"task_send_sent_event": True},
    "compressed": {"task_compression": "gzip"},
    "pickled": {"task_serializer": "pickle"},
    "routed by name": {"task_routes": {"*.pay": {"queue": "money"}}},
    "routed by a function": {"task_routes": (route,)},
    "with a policy of its own": {"task_publish_retry_policy": {"max_retries": 1}},
    "without a retry": {"task_publish_retry": False},
    "not persistent": {"task_default_delivery_mode": "transient"},
    "with undos in a queue of their own": {"amends_compensation_queue": "undo"},
    "with other limits": {"amends_hard_limit_after": 3.5},
    "by a topic": {
        "task_default_exchange": "themes",
        "task_default_exchange_type": "topic",
        "task_default_routing_key": "theme.one",
        "task_default_queue": "themed",
        "task_queues": {
            "themed": {"exchange": "themes", "exchange_type": "topic", "routing_key": "theme.one"}
        },
    },
}


WHAT = {
    "a start": [("pay", 0), ("tell", 0), ("file", 0), ("check", 0)],
    "a way on, with tries": [("tell", 3), ("file", 0), ("check", 0)],
    "one that has options of a task": [("file", 0), ("check", 0)],
    "the last": [("check", 1)],
    "an undo": [("pay:undo", 2)],
}


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request):
    if request.param == "redis":
        return request.getfixturevalue("redis_url") + "/4"
    return request.getfixturevalue("rabbitmq_url")


@pytest.fixture
def no_canvas(monkeypatch):
    """Let nothing be published as a canvas."""

    def refuse(*_):
        pytest.fail("it was published as a canvas")

    monkeypatch.setattr(publication, "publish_canvas", refuse)


@pytest.mark.parametrize("records", WHAT.values(), ids=WHAT)
@pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_it_is_the_message_that_the_canvas_makes(
    broker, configuration, records, no_canvas, saga_id
):
    app, what = app_with(broker, **configuration), what_remains(records)
    purge(app)
    made = published(publish_canvas, app, saga_id, what)
    assert published(publish, app, saga_id, what) == made
    assert published(publish, app, saga_id, what) == made  # of the template that is kept


START = WHAT["a start"]


@pytest.fixture
def letters(redis_url):
    return app_with(f"{redis_url}/4")


def test_what_waits_is_put_off(letters, saga_id):
    publish(letters, saga_id, what_remains(START, wait=30.0))
    assert taken(letters)["headers"]["eta"]


@activity(expires=60.0)
def hurry(job: Job) -> None: ...


def test_a_message_that_expires_does_so_counted_from_its_publication(letters, saga_id):
    hasty = Saga("hasty", input=Job, output=Job, steps=[Step(hurry, compensation=None)])
    what = Publish(itinerary=hasty.itinerary, number=1, wait=0.0, records=[("hurry", 0)])
    published = []
    for _ in range(2):
        publish(letters, saga_id, what)
        published.append(taken(letters)["headers"]["expires"])
    assert published[0] < published[1]


def test_a_task_that_this_process_does_not_know_is_published_all_the_same(letters, saga_id):
    text = letter_saga.itinerary.json_text.replace(pay.name, "elsewhere.pay")
    what = Publish(itinerary=Itinerary.from_json(text), number=1, wait=0.0, records=START)
    publish(letters, saga_id, what)
    assert taken(letters)["headers"]["task"] == "elsewhere.pay"


@pytest.mark.parametrize("of", [Task, Celery], ids=["Task.apply_async", "Celery.send_task"])
def test_what_is_wrapped_around_celery_hears_of_the_message(letters, monkeypatch, saga_id, of):
    name = "apply_async" if of is Task else "send_task"
    inner, heard = getattr(of, name), []

    @functools.wraps(inner)
    def traced(*args, **options):
        heard.append(options["task_id"])
        return inner(*args, **options)

    publish(letters, saga_id, what_remains(START))  # a template is there already
    taken(letters)
    monkeypatch.setattr(of, name, traced)
    publish(letters, saga_id, what_remains(START))
    assert heard == [f"{saga_id}.98.pay"] == [taken(letters)["headers"]["id"]]


def test_an_app_with_a_send_task_of_its_own_publishes_by_it(redis_url, monkeypatch, saga_id):
    sent = []

    class Postman(Celery):
        def send_task(self, name, *args, **options):
            sent.append(name)
            return super().send_task(name, *args, **options)

    app = app_with(f"{redis_url}/4", of=Postman)
    publish(app, saga_id, what_remains(START))
    assert sent == [taken(app)["headers"]["task"]]


@pytest.mark.parametrize("retries", [True, False])
def test_a_broker_that_is_away_is_one_error(saga_id, retries):
    app = app_with(
        f"redis://127.0.0.1:{free_port()}/0",
        task_publish_retry=retries,
        task_publish_retry_policy={"max_retries": 0},
    )
    with pytest.raises(OperationalError):
        publish(app, saga_id, what_remains(START))


def test_an_activity_has_its_queue_where_its_saga_was_started_without_one(letters, saga_id):
    text = letter_saga.itinerary.json_text.replace('"queue":"fast"', '"queue":null')
    records = [("tell", 0), ("file", 0)]
    what = Publish(itinerary=Itinerary.from_json(text), number=1, wait=0.0, records=records)
    made = published(publish_canvas, letters, saga_id, what)
    assert made[0]["queue"] == "fast"
    assert published(publish, letters, saga_id, what) == made


def test_a_message_names_the_thread_that_published_it(letters, saga_id):
    publish(letters, saga_id, what_remains(START))
    taken(letters)

    def compare():
        made = published(publish_canvas, letters, saga_id, what_remains(START))
        return published(publish, letters, saga_id, what_remains(START)) == made

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(compare).result()


def test_a_change_of_whether_events_are_sent_is_seen(letters, saga_id):
    def told():
        return published(publish, letters, saga_id, what_remains(START))[1]

    before, letters.conf.task_send_sent_event = told(), True
    assert len(told()) == len(before) + 1


def test_the_old_signal_of_what_is_sent_is_sent(letters, saga_id):
    heard = []

    def hear(**fields):
        heard.append(fields["task_id"])

    signals.task_sent.connect(hear, weak=False)
    try:
        publish(letters, saga_id, what_remains(START))
    finally:
        signals.task_sent.disconnect(hear)
    assert heard == [taken(letters)["headers"]["id"]]


def test_a_start_goes_to_the_broker_of_the_app_that_is_current_then(redis_url, saga_id):
    apps = [app_with(f"{redis_url}/{n}", amends_backend=f"{redis_url}/6") for n in (4, 5)]
    for turn in range(4):
        apps[turn % 2].set_current()
        letter_saga.start(Job(job_id="1"), saga_id=f"{saga_id}-{turn}")
        assert taken(apps[turn % 2])["headers"]["root_id"] == f"{saga_id}-{turn}"


def test_a_message_of_the_protocol_without_headers_is_made_by_celery(
    redis_url, monkeypatch, saga_id
):
    made = []
    monkeypatch.setattr(
        publication, "publish_canvas", lambda app, saga_id, what: made.append(saga_id)
    )
    publish(app_with(f"{redis_url}/4", task_protocol=1), saga_id, what_remains(START))
    assert made == [saga_id]


@pytest.fixture
def refusing():
    """Give a broker's URL where each connection is closed at once, and their count."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        count = []

        def refuse():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    count.append(1)  # before its client hears of it, and goes on to look
                    connection.close()

        pool.submit(refuse)
        yield f"127.0.0.1:{server.getsockname()[1]}//", count
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_is_tried_as_often_as_celery_is_told(refusing, saga_id, scheme):
    address, count = refusing
    tries = []
    for way in (publish, publish_canvas):
        policy = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
        app = app_with(f"{scheme}://{address}", task_publish_retry_policy=policy)
        before = len(count)
        with pytest.raises(OperationalError):
            way(app, saga_id, what_remains(START))
        tries.append(len(count) - before)
        app.close()
    assert tries[0] == tries[1] > 1
