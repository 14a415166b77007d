"""What an explanation says of a saga that no worker is at: its message, and owners that are gone."""

import os
import uuid

import pytest
from celery import Celery

from amends.cli.explanation_reasons import reasons
from amends.definition.serialization import canonical_json
from amends.diagnosis.saga.explain import explain
from amends.log.owner import WorkerProcess
from amends.log.profiles import Profile
from amends.operations import perform
from amends.saga.bulk import Operation, Target, Verdict
from amends.worker.heartbeat import Heartbeat
from amends.worker.sweep import Sweep
from demo.ports import free_port
from tests.support.clock import Since, redis_now
from tests.support.engine_saga import do_a, engine_saga, job_saga
from tests.support.log_view import view_of

pytestmark = pytest.mark.usefixtures("swept")


@pytest.fixture
def alone(app, log, broker, saga_id):
    """Give a saga in the log that was never published, while no worker runs."""
    broker.delete("work", "undo")
    view_of(log).forget_workers()
    log.starts.start_saga(
        saga_id, job_saga.itinerary, canonical_json({"job_id": saga_id, "amount": 1})
    )
    yield job_saga.get(saga_id)
    broker.delete("work", "undo")
    view_of(log).client.zrem(view_of(log).due_key_of(saga_id), saga_id)


@pytest.fixture
def why(app, alone):
    return lambda: explain(app, alone.id)


def tick(log):
    """Wait until the log's clock has moved on by a millisecond or two."""
    began = view_of(log).client.time()
    while view_of(log).client.time() <= (began[0], began[1] + 2000):
        pass


def test_a_message_that_nobody_has_claimed_is_told_with_its_queue(why, broker):
    broker.lpush("work", "one", "another")
    found = why()
    assert (found.situation, found.status, found.record.path) == ("queued", "pending", "a")
    message = found.message
    assert (message.queue, message.queue_length, message.broker_error) == ("work", 2, None)
    assert message.dispatches == 1
    assert message.lost_at == pytest.approx(message.sent_at + 60)
    assert found.overdue == 0


def test_replicas_that_the_log_waits_for_and_that_are_missing_are_told(app, alone, broker):
    broker.lpush("work", "one")
    waiting = Celery("waiting", broker=app.conf.broker_url, set_as_current=False)
    waiting.conf.update(amends_backend=app.conf.amends_backend, amends_wait_replicas=2)
    found = explain(waiting, alone.id)
    assert found.replicas_missing == 2
    told = " ".join(reasons(found))
    assert "lacks 2 of the replicas" in told
    assert "are its workers running" not in told
    assert explain(app, alone.id).replicas_missing == 0


@pytest.mark.parametrize(
    ("tasks", "queues", "is_taken"),
    [
        (None, (), None),
        ({do_a.name}, {"work"}, True),
        ({do_a.name}, {"another"}, False),
        ({"another"}, {"work"}, False),
    ],
)
def test_whether_a_live_worker_takes_the_task_is_told(why, log, tasks, queues, is_taken):
    view = view_of(log)
    view.client.delete(view.profiles_key, f"{view.profiles_key}:beaten")
    if tasks:
        log.profiles.keep(Profile(app="x", tasks=frozenset(tasks), queues=frozenset(queues)))
    found = why()
    view.client.delete(view.profiles_key, f"{view.profiles_key}:beaten")
    assert found.is_taken is is_taken
    assert (f"No live worker knows {do_a.name}" in " ".join(reasons(found))) is (is_taken is False)


def test_a_message_that_a_worker_has_fetched_is_told_with_that_worker(why, log, broker):
    broker.lpush("work", "another")
    saga_id = why().id
    log.workers.note_heartbeat("busy", [1], [f"{saga_id}.1.a"], node="orders@here")
    message = why().message
    assert (message.holder, message.lost_at) == ("orders@here", None)


def test_in_a_queue_that_no_live_worker_consumes_a_message_is_not_judged(why, log, broker):
    broker.lpush("work", "another")
    log.workers.note_heartbeat("elsewhere", [1], [], queues=["mail"])
    assert why().message.lost_at is None
    log.workers.note_heartbeat("here", [1], [], queues=["work"])
    assert why().message.lost_at is not None


@pytest.mark.parametrize("times", [1, 2, 4, 9])
@pytest.mark.parametrize("others", [0, 1])
def test_a_message_is_published_again_when_it_was_said_to_be(app, why, log, broker, times, others):
    """The moment is worked out here, and what a sweep does in the log: they agree."""
    for _ in range(others):
        broker.lpush("work", "another")
    saga_id = why().id
    log.workers.note_heartbeat("busy", [1], [], queues=["work"])
    engine_saga.let_wait(log, saga_id, 0, times=times)
    patience = why().message.lost_at - why().message.sent_at
    for age, is_published in ((patience - 2, False), (patience + 1, True)):
        engine_saga.let_wait(log, saga_id, age, times=times)
        Sweep(app, may_judge=lambda: False).heal(saga_id)
        assert (broker.llen("work") > others) is is_published


def test_with_the_broker_away_the_rest_is_told(app, alone):
    away = Celery("away", broker=f"redis://127.0.0.1:{free_port()}/0", set_as_current=False)
    away.conf.update(amends_backend=app.conf.amends_backend, amends_compensation_queue="undo")
    found = explain(away, alone.id)
    assert found.situation == "queued"
    assert found.message.queue_length is None
    assert "refused" in found.message.broker_error.lower()
    assert found.message.lost_at is None


def test_an_owner_that_its_worker_no_longer_names_is_lost(why, log, alone):
    log.claim_step(
        alone.id, "a", token="t", owner=f"{WorkerProcess.current.name}:1:{alone.id}.1.a", retries=0
    )
    tick(log)
    Heartbeat(log, lambda: [os.getpid()], node="orders@here").beat()
    found = why()
    assert (found.situation, found.claim.lost) == ("lost", "death")
    assert (found.claim.worker, found.claim.pid) == ("orders@here", "1")
    assert found.next_at == found.looked_at


def test_an_owner_that_let_the_message_go_has_lost_it(why, log, alone):
    owner = f"{WorkerProcess.current.name}:{os.getpid()}:{alone.id}.1.a"
    log.claim_step(alone.id, "a", token="t", owner=owner, retries=0)
    tick(log)
    Heartbeat(log, lambda: [os.getpid()], lambda: ["another"]).beat()
    assert (why().situation, why().claim.lost) == ("lost", "nothing")


def test_an_owner_not_heard_of_is_not_lost_before_its_time(why, log, alone):
    log.claim_step(alone.id, "a", token="t", owner="nobody:1:m", retries=0)
    found = why()
    assert (found.situation, found.claim.lost) == ("running", None)
    assert (found.claim.worker, found.claim.heartbeat_age) == ("", None)


def test_what_runs_without_a_worker_has_nobody_to_lose(why, log, alone):
    log.claim_step(alone.id, "a", token="t", owner="", retries=0)
    assert (why().situation, why().claim.worker, why().claim.pid) == ("running", "", "")


def test_deaths_are_counted_towards_the_poison(why, log, alone):
    for life in range(2):
        log.claim_step(alone.id, "a", token="t", owner="", retries=life)
        log.retry_step(
            alone.id,
            "a",
            token="t",
            error='{"type":"E","message":"m"}',
            wait=0,
            unknown=True,
            cost="death",
        )
    record = why().record
    assert (record.deaths, record.poison_after, record.attempts) == (2, 5, 0)


def test_a_message_whose_task_no_worker_knows_is_told_to_come_again(why, log, alone):
    log.dispatch_saga(alone.id, longest_wait=300.0)
    since = Since(view_of(log).client)
    log.note_unregistered(alone.id, "a", task=do_a.name, most=5)
    found = why()
    assert (found.situation, found.record.unregistered) == ("unregistered", 1)
    assert found.next_at == found.looked_at
    assert found.next_at - found.now in since.left(10)


def test_a_wait_that_was_the_logs_is_told_until_a_sweep_has_published_it(why, log, alone):
    log.claim_step(alone.id, "a", token="t", owner="", retries=0)
    how = {"error": ERROR, "wait": 400.0, "unknown": False, "cost": "attempt"}
    log.retry_step(alone.id, "a", token="t", **how)
    assert (why().situation, why().wait.by) == ("retrying", "log")
    view_of(log).client.hincrby(view_of(log).saga_key(alone.id), "1.w", -401_000)
    found = why()
    assert (found.situation, found.wait.by) == ("retrying", "log")
    assert found.wait.until < found.now
    log.dispatch_saga(alone.id, longest_wait=300.0)
    assert why().situation == "queued"


def test_a_saga_that_no_sweep_looked_at_in_time_is_overdue(why, log, alone):
    due = view_of(log).due_key_of(alone.id)
    since = Since(view_of(log).client)
    view_of(log).client.zadd(due, {alone.id: (redis_now(view_of(log).client) - 120) * 1000})
    assert why().overdue in since.gone(120)


def content(client, key):
    """Read what is at a key; its ``DUMP`` differs with the order that Redis keeps it in."""
    kind = client.type(key)
    if kind == "hash":
        return client.hgetall(key)
    return (
        client.lrange(key, 0, -1) if kind == "list" else client.zrange(key, 0, -1, withscores=True)
    )


def test_explaining_writes_nothing_and_publishes_nothing(why, log, alone, broker):
    def keys():
        return [content(view_of(log).client, key) for key in view_of(log).keys_of(alone.id)]

    before = keys()
    why()
    assert keys() == before
    assert broker.llen("work") == 0


ERROR = '{"type":"Problem","message":"it did not work"}'


class Scene:
    """Sagas in the log that are moved by hand."""

    def __init__(self, log):
        self.log = log
        self.id = uuid.uuid4().hex
        text = canonical_json({"job_id": self.id, "amount": 1})
        log.starts.start_saga(self.id, job_saga.itinerary, text)
        self.handle = job_saga.get(self.id)

    def claim(self, path, retries=0):
        self.log.claim_step(self.id, path, token=path, owner="", retries=retries)

    def do(self, path):
        self.claim(path)
        self.log.complete_step(self.id, path, token=path, output='{"part":"p"}', link="")

    def fail(self, path, *, unknown=False):
        self.claim(path)
        how = {"unknown": unknown, "refused": False, "outcome": "no", "link": ""}
        self.log.fail_step(self.id, path, token=path, error=ERROR, **how)

    def doubt(self, path):
        self.fail(path, unknown=True)

    def wait(self, path):
        self.claim(path)
        how = {"wait": 200.0, "unknown": True, "cost": "attempt"}
        self.log.retry_step(self.id, path, token=path, error=ERROR, **how)

    def park(self, path):
        self.log.note_unregistered(self.id, path, task="unheard of", most=1)

    def pause(self, _):
        self.handle.pause()

    def cancel(self, _):
        self.handle.cancel()


BACK = [("do", "a"), ("fail", "b"), ("fail", "b:fallback")]
SCENES = {
    "queued": [],
    "running": [("claim", "a")],
    "running and paused": [("claim", "a"), ("pause", "")],
    "waiting": [("wait", "a")],
    "waiting and paused": [("wait", "a"), ("pause", "")],
    "before the fallback": [("do", "a"), ("fail", "b")],
    "before the void": [("do", "a"), ("doubt", "b")],
    "waiting for the void": [("do", "a"), ("doubt", "b"), ("wait", "b:undo")],
    "a void that failed": [("do", "a"), ("doubt", "b"), ("fail", "b:undo"), ("do", "a:undo")],
    "going back": BACK,
    "waiting for an undo": [*BACK, ("wait", "a:undo")],
    "an undo that failed": [*BACK, ("fail", "a:undo")],
    "an undo that failed, and paused": [*BACK, ("fail", "a:undo"), ("pause", "")],
    "cancelled while it ran": [("claim", "a"), ("cancel", "")],
    "parked": [("park", "a")],
    "parked on its way back": [*BACK, ("park", "a:undo")],
    "ended": [("do", "a"), ("do", "b"), ("do", "c")],
}


def enact(log, name):
    scene = Scene(log)
    for move, path in SCENES[name]:
        getattr(scene, move)(path)
    return scene


@pytest.mark.parametrize("name", SCENES)
def test_each_act_that_is_offered_is_taken_and_each_that_matters_is_offered(app, log, name):
    remedies = explain(app, enact(log, name).id).remedies
    for remedy in remedies:
        scene = enact(log, name)
        seen = explain(app, scene.id).events
        output = {"part": "by hand"} if remedy.output_fields else None
        operation = Operation(
            act=remedy.act, by="ada", why="x", step=remedy.step or "", output=output
        )
        (result,) = perform(operation, [Target(id=scene.id, seen=seen)])
        assert result.verdict is Verdict.DONE, (remedy, result)
    situation = explain(app, enact(log, name).id).situation
    assert bool(remedies) is (situation != "ended")
    for shard in range(view_of(log).shards):
        view_of(log).client.delete(view_of(log).due_key(shard))
