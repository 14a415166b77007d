"""O24 and O24b: a message that meets a worker which does not know its task."""

import uuid

import pytest

from amends import RetryPolicy, Saga, SagaStuck, Step, activity
from amends.backend.app_identity import identity_of
from amends.log.profiles import Profile
from amends.worker import unknown_task
from tests.support.engine_saga import Job, do_a, do_c, engine_saga, job_saga, undo_a
from tests.support.eventually import eventually
from tests.support.log_view import view_of


@pytest.fixture
def later_saga(work):
    """Give a saga with an activity that came after the worker was started."""
    name = f"deployed.later_{uuid.uuid4().hex}"

    @activity(name=name, retry=RetryPolicy(initial_interval=0.01))
    def do_later(job: Job) -> None:
        engine_saga.play(job)

    return Saga(
        "later",
        input=Job,
        output=Job,
        steps=[
            Step(do_a, name="a", compensation=undo_a),
            Step(do_later, name="later", compensation=None),
            Step(do_c, name="c", compensation=None),
        ],
    )


@pytest.fixture
def let_it_be_due(log):
    def let(handle):
        due = view_of(log).due_key_of(handle.id)
        view_of(log).client.zadd(due, {handle.id: 0})

    return let


def dropped(handle):
    return [event.record for event in handle.history() if event.name == "step.unregistered"]


def start(later_saga, saga_id):
    handle = later_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: dropped(handle) == ["later"])
    return handle


def test_o24_the_saga_parks_after_several_and_the_others_go_on(
    app, later_saga, saga_id, let_it_be_due, monkeypatch
):
    monkeypatch.setitem(app.conf, "amends_poison_after", 3)
    handle = start(later_saga, saga_id)
    let_it_be_due(handle)
    eventually(lambda: len(dropped(handle)) == 2)
    assert handle.status == "running"
    let_it_be_due(handle)
    with pytest.raises(SagaStuck, match=r"no worker knows the task deployed\.later_"):
        handle.wait(timeout=60)
    other = f"other-{saga_id}"
    result = job_saga.start(Job(job_id=other), saga_id=other).wait(timeout=60)
    assert result.outcome == "completed"


def test_o24b_a_worker_that_comes_to_know_it_meanwhile_does_it(
    worker, later_saga, saga_id, let_it_be_due
):
    handle = start(later_saga, saga_id)
    worker.consumer.update_strategies()
    let_it_be_due(handle)
    handle.wait(timeout=60)
    assert handle.outcome == "completed"
    assert engine_saga.records(saga_id) == ["a", "later", "c"]


def test_o21_a_parked_saga_that_is_retried_when_its_task_is_known_is_finished_as_it_was_started(
    app, worker, later_saga, saga_id, monkeypatch
):
    monkeypatch.setitem(app.conf, "amends_poison_after", 1)
    handle = later_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(SagaStuck):
        handle.wait(timeout=60)
    worker.consumer.update_strategies()
    handle.retry(by="ada", why="deployed")
    handle.wait(timeout=60)
    assert (handle.outcome, engine_saga.records(saga_id)) == ("completed", ["a", "later", "c"])


def test_o21_a_parked_saga_can_be_cancelled_and_is_undone(app, later_saga, saga_id, monkeypatch):
    monkeypatch.setitem(app.conf, "amends_poison_after", 1)
    handle = later_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(SagaStuck):
        handle.wait(timeout=60)
    assert handle.cancel(by="ada")
    handle.wait(timeout=60)
    assert (handle.status, handle.outcome) == ("compensated", "cancelled")
    assert engine_saga.records(saga_id) == ["a", "a:undo"]


@pytest.fixture
def parks_at_once(app, monkeypatch):
    monkeypatch.setitem(app.conf, "amends_poison_after", 1)


@pytest.fixture
def canary(app, log, later_saga):
    """Give a way to let another worker, which takes these queues, know the task; it is gone in the end."""
    task = later_saga.itinerary.records["later"].call.task
    view = view_of(log)

    def beat(*queues, identity=""):
        of = identity or identity_of(app)
        log.profiles.keep(Profile(app=of, tasks=frozenset({task}), queues=frozenset(queues)))

    yield beat
    view.client.delete(view.profiles_key, f"{view.profiles_key}:beaten")


def test_o24_a_saga_is_not_parked_while_a_live_worker_takes_its_task(
    parks_at_once, later_saga, saga_id, let_it_be_due, canary, log
):
    canary("another", "work")
    handle = start(later_saga, saga_id)
    for times in range(2, 5):
        let_it_be_due(handle)
        eventually(lambda times=times: len(dropped(handle)) == times)
    assert handle.status == "running"
    record = log.read_saga(saga_id).records["later"]
    assert (record.used.unregistered, record.tries) == (0, 0)


@pytest.mark.parametrize(
    ("queue", "how"), [("another", {}), ("work", {"identity": "of another broker"})]
)
def test_o24_a_worker_that_knows_the_task_and_does_not_get_it_is_none(
    parks_at_once, later_saga, saga_id, canary, queue, how
):
    canary(queue, **how)
    handle = later_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(SagaStuck, match="no worker knows the task"):
        handle.wait(timeout=60)


def test_o24_a_parked_saga_goes_on_by_itself_once_a_worker_takes_its_task(
    parks_at_once, worker, later_saga, saga_id
):
    handle = later_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(SagaStuck):
        handle.wait(timeout=60)
    worker.consumer.update_strategies()
    eventually(lambda: handle.status == "completed")
    assert engine_saga.records(saga_id) == ["a", "later", "c"]


def test_a_message_of_anothers_task_is_none_of_ours(app, work):
    app.send_task("somebody.elses", args=[1], kwargs={"two": 2})
    app.send_task("somebody.elses", kwargs={"saga_id": "nobody", "step": "a"})
    name = uuid.uuid4().hex
    assert job_saga.start(Job(job_id=name), saga_id=name).wait(timeout=60).outcome == "completed"


@pytest.mark.parametrize(("saga_id", "step"), [(5, "a"), (None, "a"), ("x", 5), ("x", "a|1")])
def test_the_log_is_asked_nothing_about_an_absurd_message(app, work, monkeypatch, saga_id, step):
    asked = []
    monkeypatch.setattr(unknown_task, "log_of", asked.append)
    app.send_task("somebody.elses", kwargs={"saga_id": saga_id, "step": step})
    name = uuid.uuid4().hex
    assert job_saga.start(Job(job_id=name), saga_id=name).wait(timeout=60).outcome == "completed"
    assert asked == []
