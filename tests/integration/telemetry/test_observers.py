"""What workers tell of the sagas that they move: signals, and lines in their log."""

import logging
from collections import Counter
from contextlib import contextmanager

from amends import Refused, saga_compensated, saga_completed, saga_started, saga_stuck
from amends.log.observers import subscribe, tell_observers
from tests.support.engine_saga import Job, after_effect, job_saga, without_effect
from tests.support.eventually import eventually

SIGNALS = {
    "started": saga_started,
    "completed": saga_completed,
    "compensated": saga_compensated,
    "stuck": saga_stuck,
}


@contextmanager
def hearing(saga_id, *, heard):
    """Note what the signals say of a saga."""

    def listener(name):
        def hear(sender, outcome, reason, **named):
            if named["saga_id"] == saga_id:
                heard.append((name, sender, saga_id, outcome, reason))

        return hear

    receivers = {name: listener(name) for name in SIGNALS}
    for name, signal in SIGNALS.items():
        signal.connect(receivers[name])
    try:
        yield
    finally:
        for name, signal in SIGNALS.items():
            signal.disconnect(receivers[name])


def test_a_signal_says_that_a_saga_started_and_that_it_completed(work, saga_id):
    heard = []
    with hearing(saga_id, heard=heard):
        job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
        eventually(lambda: len(heard) == 2)
    assert heard == [
        ("started", "job", saga_id, None, None),
        ("completed", "job", saga_id, "completed", None),
    ]


def test_a_signal_says_that_a_saga_was_undone(work, saga_id):
    heard = []
    work.script(f"{saga_id}:b", without_effect(Refused("no")))
    with hearing(saga_id, heard=heard):
        job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
        eventually(lambda: len(heard) == 2)
    assert heard[-1][:3] == ("compensated", "job", saga_id)
    assert heard[-1][3] == job_saga.get(saga_id).outcome


def test_a_signal_says_that_a_person_is_needed_and_why(work, saga_id):
    heard = []
    work.script(f"{saga_id}:b", without_effect(Refused("no")))
    work.script(f"{saga_id}:a:undo", *[without_effect(OSError("away"))] * 3)
    with hearing(saga_id, heard=heard):
        job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        eventually(lambda: len(heard) == 2)
    assert heard[-1][0] == "stuck"
    assert heard[-1][-1] == job_saga.get(saga_id).snapshot().reason


def test_a_hook_that_fails_does_not_fail_the_saga(work, saga_id):
    def fail(**_):
        raise OSError("the pager is away")

    saga_started.connect(fail)
    saga_completed.connect(fail)
    try:
        assert job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60).outcome == "completed"
    finally:
        saga_started.disconnect(fail)
        saga_completed.disconnect(fail)


def test_each_event_is_a_line_with_the_saga_the_step_and_the_attempt_as_fields(
    work, saga_id, caplog
):
    work.script(f"{saga_id}:a", after_effect(OSError("no answer")))
    with caplog.at_level(logging.INFO, logger="amends.sagas"):
        handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        handle.wait(60)
        eventually(lambda: "saga.finished" in caplog.text)
    lines = [each for each in caplog.records if getattr(each, "saga_id", None) == saga_id]
    # In any order: one process may write of a step's start before the other does of the end of the one before.
    assert Counter((each.event, each.step) for each in lines) == Counter(
        (event.name, event.record) for event in handle.history()
    )
    again = next(each for each in lines if each.event == "step.retrying")
    assert (again.saga, again.levelname) == ("job", "WARNING")
    assert "step=a" in again.getMessage()
    assert "OSError: no answer" in again.getMessage()
    assert [each.attempt for each in lines if each.event == "step.started"][:2] == [1, 2]


def test_a_refused_step_is_a_line_for_the_record_and_no_warning(work, saga_id, caplog):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    with caplog.at_level(logging.INFO, logger="amends.sagas"):
        job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
        eventually(lambda: "saga.finished" in caplog.text)
    lines = [each for each in caplog.records if getattr(each, "saga_id", None) == saga_id]
    assert {
        each.event: each.levelname
        for each in lines
        if each.event in ("step.failed", "saga.compensating")
    } == {"step.failed": "INFO", "saga.compensating": "WARNING"}


def test_an_observer_that_fails_is_logged_and_the_others_are_told(
    app, saga_id, caplog, monkeypatch
):
    told = []

    def fail(*_):
        raise OSError("away")

    monkeypatch.setattr("amends.log.observers._observers", [])
    subscribe(fail)
    subscribe(lambda *what: told.append(what))
    subscribe(fail, where=lambda _: False)
    with caplog.at_level(logging.ERROR, logger="amends.log.observers"):
        head = ["job", "", "pending", "1", "saga.started"]
        tell_observers(app, saga_id, head, ['{"at":1,"name":"saga.started"}'])
    assert told[0][1].events[0].name == "saga.started"
    assert caplog.text.count("fail failed") == 1
