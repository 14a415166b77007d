"""A saga whose id is revoked is cancelled."""

import threading

from tests.support.engine_saga import Job, job_saga, succeed
from tests.support.eventually import eventually


def test_a_saga_whose_id_is_revoked_is_cancelled_and_the_history_says_so(app, work, saga_id):
    begun, may_end = threading.Event(), threading.Event()

    def hold(key):
        begun.set()
        assert may_end.wait(60)
        succeed(key)

    work.script(f"{saga_id}:b", hold)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert begun.wait(60)
    app.control.revoke(saga_id, terminate=False)
    eventually(lambda: handle.status == "compensating")
    may_end.set()
    assert handle.wait(60).outcome == "cancelled"
    assert work.records(saga_id) == ["a", "b", "b:undo", "a:undo"]
    (cancelled,) = [each for each in handle.history() if each.name == "saga.cancelled"]
    assert cancelled.details == {"by": "revoke", "why": "its id was revoked"}


def test_a_task_whose_id_is_revoked_cancels_no_saga(app, work, log, saga_id):
    app.control.revoke([f"{saga_id}.1.a", "the-task-of-somebody-else"])
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)

    def has_completed():
        if handle.status == "pending":
            work.let_wait(log, saga_id)
        return handle.status == "completed"

    eventually(has_completed)
    assert "saga.cancelled" not in {each.name for each in handle.history()}
