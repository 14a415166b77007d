"""A saga whose messages are looked at as they come out of a broker, and an app that publishes them."""

import json
import time
from contextlib import contextmanager
from functools import partial

import pytest
from celery import Celery, signals
from celery.events import EventDispatcher
from kombu import Queue

from amends import Saga, Step, activity
from amends.log.answers import Publish
from tests.support.engine_saga import Job, JobResult, Part


@activity
def pay(job: Job) -> Part:
    return Part(part="a")


@activity
def repay(job: Job, part: Part | None) -> None: ...


@activity(queue="fast", priority=7, start_to_close_timeout=2.5)
def tell(job: Job) -> None: ...


@activity(serializer="pickle", priority=3)
def file(job: Job) -> None: ...


@activity(queue="100% sure")
def check(job: Job) -> None: ...


letter_saga = Saga(
    "letter",
    input=Job,
    output=JobResult,
    outputs={"part": "pay.part"},
    steps=[
        Step(pay, compensation=repay),
        Step(tell, compensation=None),
        Step(file, compensation=None),
        Step(check, compensation=None),
    ],
)


def app_with(broker, *, of=Celery, **configuration):
    app = of("letters", broker=broker)
    app.conf.update(
        {"amends_backend": "redis://127.0.0.1:1/0", "accept_content": ["json", "pickle"]}
        | configuration
    )
    app.set_default()
    app.finalize()
    return app


def what_remains(records, *, wait=0.0):
    # Not the number of a template: its digits are as many as they are.
    return Publish(itinerary=letter_saga.itinerary, number=98, wait=wait, records=records)


def plain(value):
    """Make what a message or a signal has comparable: a canvas has signatures, which are dicts, and tuples."""
    return json.loads(json.dumps(value, default=described))


def described(thing):
    """Describe a queue by all that it is, whether or not it is bound to a channel yet."""
    return thing.as_dict(recurse=True) if isinstance(thing, Queue) else repr(thing)


@contextmanager
def heard():
    """Hear what Celery tells of a publication: its signals, and its event."""
    told = []

    def hear(signal, **fields):
        told.append(plain(fields))

    def hear_event(_, kind, fields, producer, **how):
        told.append(plain((kind, fields, how)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventDispatcher, "publish", hear_event)
        for signal in (signals.before_task_publish, signals.after_task_publish):
            signal.connect(hear, weak=False)
        try:
            yield told
        finally:
            for signal in (signals.before_task_publish, signals.after_task_publish):
                signal.disconnect(hear)


def taken(app):
    """Take the one message that was published, once it is there: RabbitMQ does not say; answers the whole of it."""
    until = time.monotonic() + 30
    while not (found := all_taken(app)) and time.monotonic() < until:
        time.sleep(0.01)
    assert len(found) == 1, [each["headers"]["id"] for each in found]
    return found[0]


def all_taken(app):
    """Take every message that was published, from whichever queue, in order."""
    return [
        as_dict(queue.name, message)
        for queue in queues(app)
        for message in iter(partial(queue.get, no_ack=True, accept=["json", "pickle"]), None)
    ]


def purge(app):
    """Leave nothing that other tests have published."""
    for queue in queues(app):
        queue.purge()


def queues(app):
    with app.connection_for_read() as connection:
        for name in ("celery", "themed", "money", "for-pay", "fast", "100% sure", "undo"):
            queue = app.amqp.queues[name](connection.default_channel)
            queue.declare()
            yield queue


def as_dict(queue, message):
    return {
        "queue": queue,
        "headers": plain(message.headers),
        "properties": plain(without_tag(message.properties)),
        "delivery": plain(without_tag(message.delivery_info)),
        "content": (message.content_type, message.content_encoding),
        "body": plain(message.decode()),
    }


def without_tag(fields):
    return {name: value for name, value in fields.items() if name != "delivery_tag"}


def published(way, app, saga_id, what):
    with heard() as told:
        way(app, saga_id, what)
    return taken(app), told


def all_published(app, *publications):
    """Publish in these ways; answers the messages and what is told of them."""
    with heard() as told:
        for way, *rest in publications:
            way(app, *rest)
    return all_taken(app), told
