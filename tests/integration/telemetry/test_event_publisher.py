"""Events on their way to a broker that hangs or restarts: nobody waits for it, and they come in order."""

import os
import signal
import threading

import pytest
from celery import Celery
from redis import Redis

from amends.telemetry.event_publisher import EventPublisher
from amends.telemetry.flower_rows import RowEvent
from demo.servers import own_redis
from tests.support.event_listener import hearing
from tests.support.eventually import eventually


@pytest.fixture
def server(tmp_path):
    """Run a Redis of its own; give its URL and its pid."""
    with own_redis(tmp_path) as url:
        with Redis.from_url(url) as client:
            pid = client.info("server")["process_id"]
        yield url, pid


@pytest.fixture
def app(server):
    app = Celery("publishers", broker=server[0], set_as_current=False)
    yield app
    app.close()


@pytest.fixture
def heard(server):
    """Give the results that the events have which monitors hear of."""
    with Redis.from_url(server[0]) as client, hearing(client, "order-1047") as messages:
        yield lambda: [event["result"] for events in messages for event in events]


def event(result):
    return RowEvent("task-succeeded", {"uuid": "order-1047", "result": result, "runtime": 1.0})


def test_events_arrive_in_the_order_in_which_they_were_taken(app, heard):
    publisher = EventPublisher(app)
    for n in range(50):
        publisher.take([event(n)], sender="orders@here")
    eventually(lambda: len(heard()) == 50)
    assert heard() == list(range(50))


def test_nobody_waits_for_a_broker_that_hangs_and_it_hears_all_when_it_goes_on(app, heard, server):
    publisher = EventPublisher(app)
    publisher.take([event(0)], sender="orders@here")
    eventually(lambda: heard() == [0])
    os.kill(server[1], signal.SIGSTOP)
    try:
        taking = threading.Thread(
            target=lambda: [publisher.take([event(n)], sender="orders@here") for n in range(1, 50)]
        )
        taking.start()
        taking.join(60)
        assert not taking.is_alive()
        assert heard() == [0]
    finally:
        os.kill(server[1], signal.SIGCONT)
    eventually(lambda: len(heard()) == 50)
    assert heard() == list(range(50))


def test_while_a_broker_is_away_no_more_than_the_last_events_are_kept(app):
    app.conf.broker_url = "redis://127.0.0.1:1"
    publisher = EventPublisher(app, keeps=10)
    for n in range(100):
        publisher.take([event(n)], sender="orders@here")
    eventually(lambda: len(publisher._waiting) == 10)
    assert [each.fields["result"] for each in publisher._waiting] == list(range(90, 100))
