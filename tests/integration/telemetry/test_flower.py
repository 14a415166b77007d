"""What a worker publishes for monitors: little, only where it is wanted, and never at a saga's cost."""

import threading
from itertools import chain

import pytest
from celery.contrib.testing.worker import start_worker

from amends import Refused
from amends.log.owner import WorkerProcess
from amends.telemetry import event_publisher as courier
from amends.telemetry.flower_rows import RUNNING
from tests.support.engine_saga import Job, engine_saga, inline_saga, job_saga, without_effect
from tests.support.event_listener import hearing
from tests.support.eventually import eventually

COMPLETED = [["task-sent"], ["task-received", "task-started"], ["task-succeeded"]]


@pytest.fixture
def heard(broker, saga_id):
    """Give the types of the events that monitors hear of a saga, a list for each message."""
    with hearing(broker, saga_id) as messages:
        yield lambda: [[event["type"] for event in events] for events in _apart(messages)]


def _apart(messages):
    """Part what the starter tells from what the worker does: in one process both may be in one message, in any order."""
    events = [event for each in messages for event in each]
    sent = [[event] for event in events if event["type"] == "task-sent"]
    others = [[event for event in each if event["type"] != "task-sent"] for each in messages]
    return [each for each in (*sent, *others) if each]


@pytest.fixture(scope="module")
def worker(app):
    """Give a worker that sends no events of tasks, until one asks for them."""
    app.conf.worker_send_task_events = True  # or it has nothing to switch on
    options = {"loglevel": "CRITICAL", "perform_ping_check": False, "shutdown_timeout": 30}
    with start_worker(app, pool="threads", concurrency=4, **options) as worker:
        worker.consumer.event_dispatcher.groups = {"worker"}
        eventually(lambda: not WorkerProcess.current.sends_events.value)
        yield worker


@pytest.fixture
def sends_events(app, worker):
    """Let the worker send the events of tasks, as Flower asks each that it finds."""
    app.control.enable_events(reply=True, timeout=60, limit=1)
    eventually(lambda: WorkerProcess.current.sends_events.value)
    yield
    app.control.disable_events(reply=True, timeout=60, limit=1)
    eventually(lambda: not WorkerProcess.current.sends_events.value)


@pytest.mark.usefixtures("sends_events")
def test_a_saga_costs_a_message_where_its_row_changes_and_no_other(work, saga_id, heard, log):
    told = _note_what_is_told(log)
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    eventually(lambda: heard() and heard()[-1][-1] == "task-succeeded")
    assert list(chain(*heard())) == list(chain(*COMPLETED))
    assert len(heard()) <= len(COMPLETED)  # where the broker is slow one takes several changes
    assert len(told) == 7  # transitions: the start, and two for each step


def _note_what_is_told(log):
    tell, told = log._store._tell, []

    def note(*what):
        told.append(what)
        tell(*what)

    log._store._tell = note
    return told


@pytest.mark.usefixtures("sends_events")
def test_no_transition_costs_more_than_a_message_where_several_things_happen_in_it(
    work, saga_id, heard
):
    work.script(f"{saga_id}:b", without_effect(Refused("no")))
    work.script(f"{saga_id}:a:undo", *[without_effect(OSError("away"))] * 3)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: any("task-failed" in each for each in heard()))
    handle.skip("a", by="ada")
    eventually(lambda: heard()[-1][-2:] == ["task-retried", "task-compensated"])
    transitions = [
        *COMPLETED[:2],
        ["task-compensating"],
        ["task-failed"],
        ["task-retried", "task-compensated"],
    ]
    assert list(chain(*heard())) == list(chain(*transitions))
    assert len(heard()) <= len(transitions)  # as above


@pytest.mark.usefixtures("sends_events")
def test_steps_that_run_inline_are_told_of_in_one_message_with_the_end(work, broker, saga_id):
    with hearing(broker, saga_id, f"{saga_id}.2.b", f"{saga_id}.3.c") as messages:
        inline_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(timeout=60)
        eventually(lambda: messages and messages[-1][-1]["type"] == "task-succeeded")
    assert len(messages) <= 2  # the starter's takes along what the worker holds at that moment
    events = [event for each in _apart(messages) for event in each]
    assert [(event["uuid"].removeprefix(saga_id), event["type"]) for event in events] == [
        ("", "task-sent"),
        *[("", type_) for type_ in RUNNING],
        *[(".2.b", type_) for type_ in (*RUNNING, "task-succeeded")],
        *[(".3.c", type_) for type_ in RUNNING],
        ("", "task-succeeded"),
        (".3.c", "task-succeeded"),
    ]


@pytest.mark.usefixtures("sends_events")
def test_a_step_that_takes_long_is_told_of_while_it_runs(work, saga_id, heard):
    goes_on = threading.Event()
    work.script(f"{saga_id}:b", lambda key: goes_on.wait(60) and engine_saga.world.make(key))
    inline_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: heard()[1:] == [["task-received", "task-started"]])
    goes_on.set()


def test_a_worker_that_sends_no_task_events_draws_no_rows(work, saga_id, heard):
    assert not WorkerProcess.current.sends_events.value
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    assert heard() == []


@pytest.mark.usefixtures("sends_events")
def test_the_rows_can_be_switched_off(app, work, saga_id, heard, monkeypatch):
    monkeypatch.setitem(app.conf, "amends_monitor_events", value=False)
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    assert heard() == []


@pytest.mark.usefixtures("sends_events")
def test_a_broker_that_takes_no_events_holds_up_no_saga_and_hears_of_it_later(
    app, work, saga_id, heard, monkeypatch
):
    publish, is_away = courier._publish, True

    def refuse(*what):
        if is_away:
            raise OSError("the broker is away")
        publish(*what)

    monkeypatch.setattr(courier, "_publish", refuse)
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    assert heard() == []
    is_away = False
    eventually(lambda: heard() and heard()[-1][-1] == "task-succeeded")
    assert list(chain(*heard())) == list(chain(*COMPLETED))


@pytest.fixture
def sends_each_at_once(worker, monkeypatch):
    """Let no event be buffered: Celery forgets one that a thread adds while it sends those before."""
    monkeypatch.setattr(worker.consumer.event_dispatcher, "buffer_group", frozenset())


@pytest.mark.usefixtures("sends_events", "sends_each_at_once")
@pytest.mark.parametrize("saga", [job_saga, inline_saga], ids=["chain", "inline"])
@pytest.mark.parametrize("error", [Refused("no"), KeyError("missing")])
def test_a_failed_step_is_failed_in_monitors_whether_refused_or_not(
    work, broker, saga_id, saga, error
):
    told, retries = repr(error), 0 if isinstance(error, Refused) else 2
    work.script(f"{saga_id}:c", *[without_effect(error)] * 3)
    with hearing(broker, f"{saga_id}.3.c") as messages:
        saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(timeout=60)
        # Those of the message's own step come from Celery, those of steps inline from here: in any order.
        eventually(lambda: len(_exceptions(messages, "task-failed")) == 1)
        eventually(lambda: len(_exceptions(messages, "task-retried")) == retries)
    assert _exceptions(messages, "task-failed") == [told]
    assert all(told in each for each in _exceptions(messages, "task-retried"))


def _exceptions(messages, type_):
    return [each["exception"] for each in chain(*messages) if each["type"] == type_]
