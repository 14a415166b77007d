"""Which processes draw the rows of sagas, and under which name."""

import os
import socket

import pytest
from celery import Celery

from amends.definition.states import SagaStatus
from amends.log.observers import tell_observers
from amends.log.owner import WorkerProcess
from amends.telemetry import flower as monitors

CLIENT = f"amends@{socket.gethostname()}"


@pytest.fixture
def app():
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.amends_backend = "redis://127.0.0.1:6379/9"
    return app


@pytest.fixture
def drawn(monkeypatch):
    """Give whom the events come from that are taken to the broker."""
    senders = []

    class EventPublisher:
        def take(self, events, *, sender):
            assert events
            senders.append(sender)

    monkeypatch.setattr(monitors, "event_publisher_of", lambda app: EventPublisher())
    WorkerProcess.enter("")
    yield senders
    WorkerProcess.enter("")


def tell(app, was=None, status=SagaStatus.PENDING):
    name = "saga.started" if was is None else "saga.retried"
    head = ["order", was or "", status, "1000", name]
    tell_observers(app, "order-1047", head, [f'{{"at":2000,"name":"{name}"}}'])


def tell_of_a_person(app):
    tell(app, SagaStatus.STUCK, SagaStatus.COMPENSATING)


def test_a_client_tells_of_a_start_where_it_sends_events_of_what_it_sends(app, drawn):
    tell(app)
    assert drawn == []
    app.conf.task_send_sent_event = True
    tell(app)
    assert drawn == [CLIENT]


def test_a_client_tells_what_a_person_does_there(app, drawn):
    tell_of_a_person(app)
    assert drawn == [CLIENT]


def test_a_worker_tells_under_its_own_name_while_it_sends_the_events_of_tasks(app, drawn):
    WorkerProcess.enter("orders@here")
    tell_of_a_person(app)
    assert drawn == []
    WorkerProcess.current.switch_events(on=True)
    tell_of_a_person(app)
    assert drawn == ["orders@here"]


def test_a_process_of_the_pool_follows_the_switch_of_its_worker(app, drawn):
    WorkerProcess.enter("orders@here")
    switched, wrote = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.read(switched[0], 1)
        tell_of_a_person(app)
        os.write(wrote[1], b"y" if drawn == ["orders@here"] else b"n")
        os._exit(0)
    WorkerProcess.current.switch_events(on=True)
    os.write(switched[1], b"x")
    assert os.read(wrote[0], 1) == b"y"
    os.waitpid(child, 0)


@pytest.mark.parametrize("setting", [{"amends_monitor_events": False}, {"task_always_eager": True}])
def test_nobody_tells_where_it_is_not_wanted(app, drawn, setting):
    app.conf.update(setting)
    tell_of_a_person(app)
    assert drawn == []
