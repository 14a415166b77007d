"""Which processes draw the rows of sagas, and under which name."""

import os
import socket

import pytest
from celery import Celery

from amends.definition.states import SagaStatus
from amends.log.observers import Transition
from amends.log.owner import enter_worker, this_worker
from amends.telemetry import flower as monitors
from amends.telemetry.flower import draw_row

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
    enter_worker("")
    yield senders
    enter_worker("")


def transition(was=None, status=SagaStatus.PENDING):
    name = "saga.started" if was is None else "saga.retried"
    head = ["order", was or "", status, "1000", name]
    return Transition("order-1047", head, [f'{{"at":2000,"name":"{name}"}}'])


def of_a_person():
    return transition(SagaStatus.STUCK, SagaStatus.COMPENSATING)


def test_a_client_tells_of_a_start_where_it_sends_events_of_what_it_sends(app, drawn):
    draw_row(app, transition())
    assert drawn == []
    app.conf.task_send_sent_event = True
    draw_row(app, transition())
    assert drawn == [CLIENT]


def test_a_client_tells_what_a_person_does_there(app, drawn):
    draw_row(app, of_a_person())
    assert drawn == [CLIENT]


def test_a_worker_tells_under_its_own_name_while_it_sends_the_events_of_tasks(app, drawn):
    enter_worker("orders@here")
    draw_row(app, of_a_person())
    assert drawn == []
    this_worker().switch_events(on=True)
    draw_row(app, of_a_person())
    assert drawn == ["orders@here"]


def test_a_process_of_the_pool_follows_the_switch_of_its_worker(app, drawn):
    enter_worker("orders@here")
    switched, wrote = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.read(switched[0], 1)
        draw_row(app, of_a_person())
        os.write(wrote[1], b"y" if drawn == ["orders@here"] else b"n")
        os._exit(0)
    this_worker().switch_events(on=True)
    os.write(switched[1], b"x")
    assert os.read(wrote[0], 1) == b"y"
    os.waitpid(child, 0)


@pytest.mark.parametrize("setting", [{"amends_monitor_events": False}, {"task_always_eager": True}])
def test_nobody_tells_where_it_is_not_wanted(app, drawn, setting):
    app.conf.update(setting)
    draw_row(app, of_a_person())
    assert drawn == []
