"""A person's act on many sagas, with a result for each; no worker runs."""

import socket
import uuid

import pytest
from celery import Celery

from amends import LogUnavailable
from amends.definition.serialization import canonical_json
from amends.definition.states import SagaStatus
from amends.log.control import SagaControl
from amends.operations import perform
from amends.saga import bulk as operations
from amends.saga.bulk import Operation, Result, Target, Verdict
from amends.worker.sweep import Sweep
from demo.ports import free_port
from tests.support.engine_saga import engine_saga, job_saga
from tests.support.log_view import view_of

pytestmark = pytest.mark.usefixtures("swept")

ERROR = '{"type":"Problem","message":"it did not work"}'


@pytest.fixture(autouse=True)
def quiet(app, broker, log):
    """Let no message and no due entry of a test be there for another."""
    broker.delete("work", "undo")
    yield
    broker.delete("work", "undo")
    for shard in range(view_of(log).shards):
        view_of(log).client.delete(view_of(log).due_key(shard))


@pytest.fixture
def started(app, log):
    """Give so many sagas in the log."""

    def start(count=1):
        ids = [uuid.uuid4().hex for _ in range(count)]
        for saga_id in ids:
            text = canonical_json({"job_id": saga_id, "amount": 1})
            log.starts.start_saga(saga_id, job_saga.itinerary, text)
        return [job_saga.get(saga_id) for saga_id in ids]

    return start


@pytest.fixture
def stuck(started, log):
    """Give so many sagas whose first step's undo failed for good."""

    def stand(count=1):
        handles = started(count)
        for handle in handles:
            move(log, handle.id, "a")
            move(log, handle.id, "b", fails=True)
            move(log, handle.id, "b:fallback", fails=True)
            move(log, handle.id, "a:undo", fails=True)
            assert handle.status == "stuck"
        return handles

    return stand


def move(log, saga_id, path, *, fails=False, retries=0):
    log.claim_step(saga_id, path, token=path, owner="", retries=retries)
    if not fails:
        log.complete_step(saga_id, path, token=path, output='{"part":"p"}', link="")
        return
    log.fail_step(
        saga_id,
        path,
        token=path,
        error=ERROR,
        unknown=False,
        refused=False,
        outcome="no",
        link="",
    )


def do(act, handles, *, seen=None, **how):
    operation = Operation(act=act, by="ada", why="the bank is back", **how)
    return list(perform(operation, [Target(id=handle.id, seen=seen) for handle in handles]))


def verdicts(results):
    return [result.verdict for result in results]


def test_each_saga_is_acted_on_in_order_and_its_history_says_by_whom_and_why(stuck, broker):
    handles = stuck(3)
    results = do("retry", handles)
    assert results == [Result(id=handle.id, verdict=Verdict.DONE) for handle in handles]
    for handle in handles:
        event = handle.history()[-1]
        assert (event.name, event.details) == (
            "saga.retried",
            {"by": "ada", "why": "the bank is back"},
        )
    assert broker.llen("undo") == 3


def test_one_that_is_refused_says_why_and_the_others_are_done(stuck, log):
    first, second, third = stuck(3)
    second.skip("a")
    assert second.status == "compensated"
    results = do("retry", [first, second, third])
    assert verdicts(results) == ["done", "refused", "done"]
    assert results[1].reason == "it is compensated"


def test_one_that_is_not_there_is_told(stuck):
    (handle,) = stuck()
    operation = Operation(act="retry", by="ada", why="x")
    results = list(perform(operation, [Target(id="nobody"), Target(id=handle.id)]))
    assert verdicts(results) == ["unknown", "done"]


@pytest.mark.parametrize("act", ["retry", "skip", "cancel", "pause", "resume"])
def test_a_saga_that_moved_between_looking_and_acting_is_left_alone(started, log, act):
    (handle,) = started()
    seen = len(handle.history())
    move(log, handle.id, "a")
    how = {"step": "b", "output": {"part": "by hand"}} if act == "skip" else {}
    (result,) = do(act, [handle], seen=seen, **how)
    assert (result.verdict, result.reason) == (
        "refused",
        "it has moved on since you looked, and is running now",
    )
    assert handle.history()[-1].name == "step.completed"


def test_of_stuck_sagas_one_that_another_person_has_retried_is_left_alone(stuck):
    first, second = stuck(2)
    seen = {handle.id: len(handle.history()) for handle in (first, second)}
    first.retry(by="bob")
    targets = [Target(id=saga_id, seen=events) for saga_id, events in seen.items()]
    results = list(perform(Operation(act="retry", by="ada", why="x"), targets))
    assert verdicts(results) == ["refused", "done"]
    assert [e.details.get("by") for e in first.history() if e.name == "saga.retried"] == ["bob"]


def test_what_comes_too_late_to_be_cancelled_is_refused_with_where_it_is(stuck, started):
    results = do("cancel", [*stuck(), *started()])
    assert [(result.verdict, result.reason) for result in results] == [
        ("refused", "it is stuck"),
        ("done", None),
    ]


def test_a_status_is_enough_of_a_condition_for_what_runs(started, log):
    (handle,) = started()
    move(log, handle.id, "a")
    move(log, handle.id, "b")
    assert verdicts(do("pause", [handle], seen=SagaStatus.RUNNING)) == ["done"]


def test_an_output_that_does_not_fit_is_refused_with_what_is_wrong_about_it(started, log):
    (handle,) = started()
    move(log, handle.id, "a")
    (result,) = do("skip", [handle], step="b", output={"piece": 1})
    assert result.verdict == "refused"
    assert result.reason == "the output does not fit: part: Field required"
    assert verdicts(do("skip", [handle], step="b", output={"part": "by hand"})) == ["done"]


@pytest.fixture
def without_broker(app):
    """Make an app current whose broker is not there."""
    away = Celery("away", broker=f"redis://127.0.0.1:{free_port()}/0", set_as_current=False)
    away.conf.update(amends_backend=app.conf.amends_backend, amends_compensation_queue="undo")
    away.set_current()
    yield away
    app.set_current()


def test_with_the_broker_away_the_act_is_done_and_the_sweep_carries_on(
    app, stuck, without_broker, log, broker
):
    handles = stuck(2)
    results = do("retry", handles)
    assert [(each.verdict, each.is_published) for each in results] == [("done", False)] * 2
    app.set_current()
    view_of(log).forget_workers()  # of other tests, which might have the messages
    for handle in handles:
        assert handle.status == "compensating"
        engine_saga.let_wait(log, handle.id, 61)
        Sweep(app, may_judge=lambda: False).heal(handle.id)
        assert broker.lpop("undo")  # an empty queue has lost the next one's too


@pytest.mark.timeout(60)
def test_a_broker_that_never_answers_is_waited_for_once(app, stuck, monkeypatch):
    tried = []
    connected = operations.connected
    monkeypatch.setattr(operations, "connected", lambda it: tried.append(it) or connected(it))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        away = Celery("silent", broker=f"redis://127.0.0.1:{port}/0", set_as_current=False)
        away.conf.update(amends_backend=app.conf.amends_backend, amends_compensation_queue="undo")
        handles = stuck(20)
        away.set_current()
        results = do("retry", handles)
        app.set_current()
    assert not any(result.is_published for result in results)
    assert verdicts(results) == ["done"] * 20
    assert len(tried) == 1


def test_where_the_log_goes_away_the_rest_is_not_tried(stuck, monkeypatch):
    handles, asked = stuck(3), []

    def retry(self, saga_id, **_):
        asked.append(saga_id)
        raise LogUnavailable("away")

    monkeypatch.setattr(SagaControl, "retry_saga", retry)
    assert verdicts(do("retry", handles)) == ["unavailable", "not_tried", "not_tried"]
    assert asked == [handles[0].id]
