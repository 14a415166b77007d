"""Waits that are too long for a message, and a saga's own time limit."""

from datetime import timedelta

from amends import NotDone, RetryPolicy, Saga, Step, activity
from amends.definition.serialization import canonical_json
from amends.worker.sweep import Sweep
from tests.support.engine_saga import Job, JobResult, do_a, engine_saga, undo_a, without_effect
from tests.support.eventually import eventually
from tests.support.log_view import view_of
from tests.support.sagas.wide import wide_of

DAY = timedelta(days=1).total_seconds()
WIDE = wide_of("patient_wide")


@activity(
    retry=RetryPolicy(max_attempts=None, initial_interval=0.01, max_interval=0.01, jitter=0.0)
)
def patient(job: Job) -> None:
    engine_saga.play(job)


STEPS = [
    Step(do_a, name="a", compensation=undo_a, outcome="no_a"),
    Step(patient, name="b", compensation=None),
]


def saga(name, timeout=None):
    return Saga(
        name, input=Job, output=JobResult, outputs={"part": "a.part"}, timeout=timeout, steps=STEPS
    )


def skip_the_wait(log, saga_id, record):
    """Move the saga's next attempt, and its place among the due, to now."""
    keys = view_of(log).keys_of(saga_id)
    view_of(log).client.hset(keys[0], mapping={f"{record}.w": 0, "sent": 0})
    view_of(log).client.zadd(keys[2], {saga_id: 0})


def due_in(log, saga_id):
    view = view_of(log)
    return view.due_at(saga_id) / 1000 - view.client.time()[0]


def test_a_step_that_is_put_off_for_days_for_weeks_waits_in_the_log_alone(
    work, app, log, broker, saga_id
):
    days = 21
    work.script(f"{saga_id}:b", *[without_effect(NotDone("not yet", retry_after=DAY))] * days)
    handle = saga("patient", timeout=60 * DAY).start(Job(job_id=saga_id), saga_id=saga_id)
    for day in range(1, days + 1):
        eventually(lambda day=day: handle.snapshot().steps["b"].attempts == day)
        eventually(lambda: not broker.hlen("unacked") and not broker.llen("work"))
        eventually(lambda: due_in(log, saga_id) > DAY - 60)
        skip_the_wait(log, saga_id, "2")
        Sweep(app, may_judge=lambda: False).run_once()
    assert handle.wait(timeout=60).outcome == "completed"
    assert handle.snapshot().steps["b"].attempts == days + 1


def test_no_limit_of_attempts_is_no_limit(work, saga_id):
    work.script(f"{saga_id}:b", *[without_effect(OSError("cut"))] * 40)
    handle = saga("endless").start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome == "completed"
    assert handle.snapshot().steps["b"].attempts == 41


def test_a_saga_s_timeout_fires_although_no_message_moves(work, log, saga_id):
    hurried = saga("hurried", timeout=0.5)
    log.starts.start_saga(
        saga_id, hurried.itinerary, canonical_json({"job_id": saga_id, "amount": 1})
    )
    handle = hurried.get(saga_id)  # in the log, and never published
    result = handle.wait(timeout=60)
    assert (handle.status, result.outcome) == ("compensated", "timed_out")
    assert result.error == "TimeoutError: the saga did not end in its time"


def test_a_saga_s_timeout_undoes_what_was_done(work, saga_id):
    work.script(f"{saga_id}:b", *[without_effect(NotDone("away", retry_after=2.0))] * 5)
    handle = saga("hurried", timeout=3.0).start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome in ("timed_out", "failed")
    assert f"{saga_id}:a" not in work.world.in_force
    assert work.records(saga_id)[-1] == "a:undo"


def test_a_step_of_a_branch_that_is_put_off_for_a_day_waits_in_the_log_alone(
    work, log, broker, saga_id
):
    work.script(f"{saga_id}:d", without_effect(NotDone("not yet", retry_after=DAY)))
    handle = WIDE.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: handle.snapshot().steps["c"].state == "done")
    eventually(lambda: "step.retrying" in [event.name for event in handle.history()])
    eventually(lambda: not broker.hlen("unacked") and not broker.llen("work"))
    eventually(lambda: due_in(log, saga_id) > DAY - 60)
    view_of(log).client.hset(view_of(log).saga_key(saga_id), f"{WIDE.itinerary.code_of('d')}.w", 0)
    view_of(log).make_due(saga_id)
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id).count("d") == 2
