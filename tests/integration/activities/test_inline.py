"""Sagas whose next step runs under the message of the one before."""

from collections import Counter
from functools import partialmethod

import pytest
from celery import signals

from amends import LogUnavailable, NotDone, Refused, RetryPolicy, Step, activity
from amends.activities import message
from amends.log.owner import WorkerProcess
from amends.log.saga_log import SagaLog
from tests.integration.activities.test_round_trips import monitor, wait_for_the_end  # noqa: F401 - a fixture
from tests.support.engine_saga import (
    Job,
    JobResult,
    after_effect,
    engine_saga,
    inline_saga,
    saga_of,
    without_effect,
)
from tests.support.eventually import eventually

pytestmark = pytest.mark.usefixtures("swept")


@activity(retry=RetryPolicy(max_attempts=1))
def mention(job: Job) -> None:
    engine_saga.play(job)


@activity(rate_limit="1000/s")
def do_slowly(job: Job) -> None:
    engine_saga.play(job)


@activity(queue="elsewhere")
def do_elsewhere(job: Job) -> None:
    engine_saga.play(job)


mentioning = saga_of(
    "mentioning",
    Step(mention, name="m", compensation=None, on_failure="continue"),
    dispatch="inline",
)
limited = saga_of("limited", Step(do_slowly, name="slow", compensation=None), dispatch="inline")
distant = saga_of(
    "distant",
    Step(mention, name="m", compensation=None),
    Step(do_elsewhere, name="far", compensation=None),
    dispatch="inline",
)


@pytest.fixture
def messages():
    """Collect the headers of the messages that are published."""
    collected = []

    def note(headers, **_):
        collected.append(headers)

    signals.before_task_publish.connect(note)
    yield collected
    signals.before_task_publish.disconnect(note)


@pytest.fixture
def published(messages):
    """Tell the ids of a saga's messages."""

    def ids(saga_id):
        return [each["id"].removeprefix(saga_id) for each in messages if each["root_id"] == saga_id]

    return ids


def start(saga_id, saga=inline_saga):
    return saga.start(Job(job_id=saga_id), saga_id=saga_id)


def test_one_message_runs_all_steps(work, saga_id, published):
    handle = start(saga_id)
    assert handle.wait(timeout=60) == JobResult(
        job_id=saga_id, outcome="completed", part="b", error=None
    )
    assert work.records(saga_id) == ["a", "b", "c"]
    assert published(saga_id) == [".1.a"]


def test_a_message_may_take_as_long_as_all_its_steps(work, saga_id, messages):
    start(saga_id, limited).wait(timeout=60)
    limits = {each["id"]: each["timelimit"] for each in messages}
    # Four steps of 60 s, each killed 10 s later; then the two that are left.
    assert limits[f"{saga_id}.1.a"] == [280.0, 240.0]
    assert limits[f"{saga_id}.3.slow"] == [140.0, 120.0]


def test_it_writes_what_a_saga_with_a_message_a_step_writes(work, saga_id):
    handle = start(saga_id)
    handle.wait(timeout=60)
    assert [(event.name, event.record) for event in handle.history()] == [
        ("saga.started", None),
        *[(name, path) for path in "abc" for name in ("step.started", "step.completed")],
        ("saga.finished", None),
    ]


def test_n_steps_cost_one_command_more_than_they_are(work, log, monitor, saga_id):  # noqa: F811
    start(f"warm-{saga_id}").wait(60)
    with monitor:
        start(saga_id)
        eventually(lambda: work.ended[f"{saga_id}.3.c"])
    assert len(monitor.sent) == 1 + 3 + 1, monitor.sent


def test_a_refusal_is_undone_by_one_message(work, saga_id, published):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    handle = start(saga_id)
    assert handle.wait(timeout=60).outcome == "no_c"
    assert work.records(saga_id) == ["a", "b", "c", "b:undo", "a:undo"]
    assert published(saga_id) == [".1.a", ".4.advance", ".5.b.undo"]


def test_undos_that_a_person_lets_be_tried_again_go_by_one_message(work, saga_id, published):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    for path in ("b:undo", "a:undo"):
        work.script(f"{saga_id}:{path}", *[without_effect(OSError("away"))] * 3)
    handle = start(saga_id)
    eventually(lambda: handle.status == "stuck")
    before = len(published(saga_id))
    handle.retry()
    assert handle.wait(timeout=60).outcome == "no_c"
    assert [id_.split(".", 2)[2] for id_ in published(saga_id)[before:]] == ["advance", "b.undo"]


def test_an_attempt_that_is_to_be_tried_again_has_a_message_and_the_rest_goes_with_it(
    work, saga_id, published
):
    work.script(f"{saga_id}:b", without_effect(NotDone("closed")), after_effect(OSError("cut")))
    handle = start(saga_id)
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "b", "b", "c"]
    assert handle.snapshot().steps["b"].attempts == 3
    assert published(saga_id) == [".1.a", ".2.b", ".2.b"]


def test_the_way_to_the_fallback_is_gone_in_the_same_way(work, saga_id):
    work.script(f"{saga_id}:b", *[after_effect(OSError("cut"))] * 3)
    handle = start(saga_id)
    assert handle.wait(timeout=60).part == "b otherwise"
    assert work.records(saga_id) == ["a", "b", "b", "b", "b:undo", "b:fallback", "c"]


def test_a_failure_that_is_passed_over_goes_on_by_the_next_message(work, saga_id, published):
    work.script(f"{saga_id}:m", without_effect(Refused("nobody listens")))
    handle = start(saga_id, mentioning)
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "m", "c"]
    assert published(saga_id) == [".1.a", ".4.c"]


def test_a_rate_limit_is_kept_where_messages_arrive(work, saga_id, published):
    assert start(saga_id, limited).wait(timeout=60).outcome == "completed"
    assert published(saga_id) == [".1.a", ".3.slow"]


def test_a_queue_that_this_worker_does_not_consume_is_left_to_others(
    work, app, saga_id, published, monkeypatch
):
    monkeypatch.setattr(app.amqp.queues, "_consume_from", {"undo": app.amqp.queues["undo"]})
    assert start(saga_id).wait(timeout=60).outcome == "completed"
    assert published(saga_id) == [".1.a", ".2.b", ".3.c"]


def test_after_its_time_a_message_ends_with_the_step_at_hand(work, saga_id, published, monkeypatch):
    monkeypatch.setattr(message, "INLINE_FOR", 0.0)
    assert start(saga_id).wait(timeout=60).outcome == "completed"
    assert published(saga_id) == [".1.a", ".2.b", ".3.c"]


def test_a_worker_that_is_about_to_end_leaves_the_next_step_to_others(work, saga_id, published):
    def end(key):
        engine_saga.world.make(key)
        WorkerProcess.current.note_ending()

    work.script(f"{saga_id}:a", end)
    try:
        assert start(saga_id).wait(timeout=60).outcome == "completed"
    finally:
        WorkerProcess.current.note_ending(ends=False)
    assert published(saga_id) == [".1.a", ".2.b", ".3.c"]


@pytest.mark.parametrize(
    ("act", "records"), [("pause", ["a", "b"]), ("cancel", ["a", "b", "b:undo", "a:undo"])]
)
def test_a_persons_act_stops_it_after_the_step_at_hand(work, saga_id, act, records):
    def do(key):
        getattr(inline_saga.get(saga_id), act)()
        engine_saga.world.make(key)

    work.script(f"{saga_id}:b", do)
    handle = start(saga_id)
    if act == "pause":
        eventually(lambda: work.ended[f"{saga_id}.2.b"])
        assert handle.snapshot().steps["c"].state == "pending"
    else:
        assert handle.wait(timeout=60).outcome == "cancelled"
    assert work.records(saga_id) == records
    if act == "pause":
        handle.resume()
        assert handle.wait(timeout=60).outcome == "completed"


@pytest.mark.parametrize("way", ["landed", "away"])
def test_a_lost_answer_is_asked_for_again_and_is_the_same(work, saga_id, way, monkeypatch):
    ways = Counter()
    complete = {name: getattr(SagaLog, name) for name in ("complete_step", "complete_and_claim")}

    def call(self, name, called_for, path, **options):
        ways[path] += called_for == saga_id
        is_lost = called_for == saga_id and ways[path] == 1
        if is_lost and way == "away":
            raise LogUnavailable("away")
        answer = complete[name](self, called_for, path, **options)
        if is_lost:
            raise LogUnavailable("away")
        return answer

    for name in complete:
        monkeypatch.setattr(SagaLog, name, partialmethod(call, name))
    handle = start(saga_id)
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "c"]
    assert {path: step.attempts for path, step in handle.snapshot().steps.items()} == {
        "a": 1,
        "b": 1,
        "c": 1,
    }


def test_a_queue_that_this_worker_only_publishes_to_is_for_others(work, broker, saga_id):
    handles = []
    for number in (1, 2):
        handles.append(distant.start(Job(job_id=saga_id), saga_id=f"{saga_id}-{number}"))
        eventually(lambda number=number: broker.llen("elsewhere") == number)
    assert [work.records(handle.id) for handle in handles] == [["a", "b", "m"]] * 2
    for handle in handles:
        handle.cancel()
