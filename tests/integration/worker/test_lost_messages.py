"""Which unclaimed messages a sweep replaces: what it knows of hands and queues."""

import json

import pytest

from amends.backend.app_identity import identity_of
from amends.definition.serialization import canonical_json
from amends.dispatch.messages import COPY_HEADER
from amends.log.liveness import DEAD_AFTER
from amends.log.watermarks import watermark_name
from amends.worker.sweep import BATCH, Sweep
from tests.support.clock import redis_now
from tests.support.engine_saga import engine_saga, job_saga
from tests.support.log_view import view_of

OLD = 70.0  # seconds: overdue, and one probe is due


def always():
    return True


class System:
    """Sagas that wait for their messages in a queue, workers by their heartbeats, and one worker that sweeps."""

    def __init__(self, app, log, broker, name):
        self._app, self.log, self._broker, self._name = app, log, broker, name
        self.view = view_of(log)
        self.sweep = Sweep(app, may_judge=always)
        self.sagas = []

    def saga(self, *, age=OLD, times=1):
        """Start a saga whose message was published so long ago, and put nothing into its queue."""
        saga_id = f"{self._name}-{len(self.sagas)}"
        given = canonical_json({"job_id": saga_id, "amount": 1})
        self.log.starts.start_saga(saga_id, job_saga.itinerary, given)
        engine_saga.let_wait(self.log, saga_id, age, times=times)
        self.sagas.append(saga_id)
        return saga_id

    def fill(self, queue="work", count=1):
        """Put messages of other tasks into a queue."""
        self._broker.lpush(queue, *["another"] * count)

    def beat(self, worker="w", *messages, queues=("work", "undo"), age=0.0, **told):
        """Let a worker have beaten."""
        self.log.workers.note_heartbeat(worker, [1], messages, queues=queues, **told)
        if age:
            self._move(f"{self.view.workers_key}:{worker}", age)

    def consume(self, ago, queue="work"):
        """Let a message of this age be the newest that was claimed from the queue."""
        self.claim_of(redis_now(self.view.client) - ago, queue)

    def claim_of(self, published_at, queue="work"):
        """Let a message of that time have been claimed from the queue."""
        name = watermark_name(queue, identity_of(self._app))
        self.view.client.zadd(self.view.watermarks_key(3), {name: published_at * 1000})

    def look(self, *sagas):
        """Sweep once, with each of these sagas due; return those that were published."""
        before = self.published()
        for saga_id in sagas or self.sagas:
            self.view.make_due(saga_id)
        self.sweep.run_once()
        after = self.published()
        return [each for each in self.sagas if after.count(each) > before.count(each)]

    def published(self):
        return [each["root_id"] for each in self.headers()]

    def headers(self):
        texts = [*self._broker.lrange("work", 0, -1), *self._broker.lrange("undo", 0, -1)]
        return [json.loads(text)["headers"] for text in texts if text != b"another"]

    def end(self):
        for saga_id in self.sagas:
            self.view.client.zrem(self.view.due_key_of(saga_id), saga_id)
        self.view.forget_workers()

    def _move(self, key, age):
        at = int((redis_now(self.view.client) - age) * 1000)
        self.view.client.hset(key, "at", at)
        self.view.client.zadd(self.view.workers_key, {key: at})


@pytest.fixture
def system(app, log, broker, saga_id):
    broker.delete("work", "undo")
    system = System(app, log, broker, saga_id)
    system.view.forget_workers()
    yield system
    system.end()
    broker.delete("work", "undo")


@pytest.mark.parametrize("length", [0, 1, 5000])
def test_what_a_live_worker_has_fetched_is_not_lost_however_long_the_queue_is(system, length):
    saga_id = system.saga(age=500)
    system.beat("w", f"{saga_id}.1.a")
    if length:
        system.fill(count=length)
    system.consume(ago=0)
    assert system.look() == []


@pytest.mark.parametrize("age", [12.0, 4000.0])
def test_what_a_dead_worker_had_is_lost_at_once_however_long_the_queue_is(system, age):
    saga_id = system.saga(age=age)
    system.beat("died", f"{saga_id}.1.a", age=DEAD_AFTER + 1)
    system.beat("w")
    system.fill(count=5000)
    assert system.look() == [saga_id]


def test_a_worker_that_died_is_noticed_though_none_of_its_sagas_is_due(system):
    saga_id = system.saga(age=300)
    system.beat("died", f"{saga_id}.1.a", age=DEAD_AFTER + 1)
    system.beat("w")
    system.fill(count=5000)
    system.view.make_due(saga_id, 1e15)
    system.sweep.run_once()
    assert system.published() == [saga_id]


def test_what_a_worker_had_that_died_long_before_is_lost_too(system):
    """Three sagas: a single one would be published as the probe of its queue."""
    sagas = [system.saga(age=1800) for _ in range(3)]
    system.beat("died", *(f"{each}.1.a" for each in sagas), age=1700)
    system.beat("w")
    system.fill(count=5000)
    assert system.look() == sagas


def test_who_may_not_judge_takes_nobody_for_dead(app, system):
    saga_id = system.saga(age=300)
    system.beat("silent", f"{saga_id}.1.a", age=DEAD_AFTER + 1)
    system.sweep = Sweep(app, may_judge=lambda: False)
    assert system.look() == []


def test_what_a_silent_worker_has_stays_due_for_those_that_may_judge(app, system):
    saga_id = system.saga(age=300)
    system.beat("silent", f"{saga_id}.1.a", age=DEAD_AFTER + 1)
    system.beat("w")
    system.sweep = Sweep(app, may_judge=lambda: False)
    assert system.look() == []
    assert system.view.due_at(saga_id) <= redis_now(system.view.client) * 1000


def test_what_a_live_worker_has_besides_a_silent_one_is_not_looked_at_again_soon(app, system):
    saga_id = system.saga(age=300)
    system.beat("silent", f"{saga_id}.1.a", age=DEAD_AFTER + 1)
    system.beat("w", f"{saga_id}.1.a")
    system.sweep = Sweep(app, may_judge=lambda: False)
    assert system.look() == []
    assert system.view.due_at(saga_id) > redis_now(system.view.client) * 1000 + 10_000


def test_a_worker_that_was_silent_and_lives_has_what_it_says(system):
    saga_id = system.saga(age=4000)
    system.fill()
    system.beat("w")
    system.beat("slow", f"{saga_id}.1.a", age=DEAD_AFTER + 1)
    assert system.look() == [saga_id]
    engine_saga.let_wait(system.log, saga_id, 500)
    system.beat("slow", f"{saga_id}.4.a")
    assert system.look() == []


def test_what_a_worker_put_back_when_it_ended_is_in_its_queue(system):
    saga_id = system.saga(age=50)
    system.beat("ended", returned=[f"{saga_id}.1.a"], age=DEAD_AFTER + 1)
    system.beat("w")
    system.fill()
    system.consume(ago=0)
    system.look()
    system.beat("w")
    assert system.look() == []


def test_a_message_that_its_queue_has_passed_is_lost(system):
    passed, waits = system.saga(age=50), system.saga(age=12)
    system.fill(count=5000)
    system.consume(ago=11)
    assert system.look() == [passed]
    system.consume(ago=0)
    assert system.look(waits) == [waits]


def test_what_was_fetched_since_a_worker_last_told_may_have_passed_the_queue(system):
    """The watermark counts once every live worker has beaten since it was read."""
    saga_id = system.saga(age=50)
    system.fill()
    system.beat("w")
    system.consume(ago=0)
    assert system.look() == []
    assert (
        system.view.due_at(saga_id) <= redis_now(system.view.client) * 1000
    )  # the next sweep can tell
    system.beat("w", f"{saga_id}.1.a")
    assert system.look() == []
    system.beat("w")
    assert system.look() == [saga_id]


def test_what_the_next_sweep_can_tell_does_not_bring_it_on_at_once(system):
    sagas = [system.saga(age=50) for _ in range(BATCH)]
    system.fill()
    system.beat("w")
    system.consume(ago=0)
    for saga_id in sagas:
        system.view.make_due(saga_id)
    assert system.sweep.run_once() == 0
    now = redis_now(system.view.client) * 1000
    assert all(system.view.due_at(saga_id) <= now for saga_id in sagas)


def test_workers_that_tell_in_turn_settle_a_watermark_however_often_one_sweeps(system):
    saga_id = system.saga(age=50)
    system.fill()
    system.consume(ago=0)
    published = []
    for worker in ("a", "b", "a", "b"):
        system.beat(worker)
        for _ in range(6):
            published += system.look()
    assert published == [saga_id]


def test_a_queue_has_one_probe_whatever_number_of_sagas_wait_in_it(system):
    sagas = [system.saga(age=70 + n) for n in range(20)]
    system.beat("w")
    system.fill()
    (probe,) = system.look()
    assert system.look() == []
    assert [each.get(COPY_HEADER) is not None for each in system.headers()] == [True]
    told = int(system.headers()[0][COPY_HEADER])
    assert told == int(system.view.client.hget(system.view.saga_key(probe), "sent"))
    # Once it is claimed, the others are known to be lost.
    system.claim_of(told / 1000)
    system.look()
    system.beat("w")
    rest = [each for each in sagas if each != probe]
    assert system.look(*rest) == rest


def test_a_queue_that_no_live_worker_consumes_gets_no_copy(system):
    sagas = [system.saga(age=4000) for _ in range(5)]
    system.fill()
    system.consume(ago=0)
    for _ in range(2):
        system.beat("w", queues=["undo"])
        assert system.look() == []
    system.beat("w")
    assert system.look() == sagas


def test_a_worker_of_an_earlier_release_may_consume_any_queue(system):
    saga_id = system.saga()
    system.beat("old", queues=None)
    system.fill()
    assert system.look() == [saga_id]


def test_the_message_of_advance_is_judged_by_its_own_queue(system):
    saga_id = system.saga(age=50)
    client, key = system.view.client, system.view.saga_key(saga_id)
    client.hset(key, "advance", client.hget(key, "sent"))
    system.beat("w")
    system.fill("undo")  # while that of the record is empty
    assert system.look() == []
    client.hset(key, "advance", "1")
    assert system.look() == [saga_id]


def test_priorities_of_a_queue_have_watermarks_of_their_own(system, app):
    app.conf.task_default_priority = 5
    try:
        saga_id = system.saga(age=50)
        system.fill()
        system.consume(ago=0)
        assert system.look() == []
        system.consume(ago=0, queue="work|5")
        system.beat("w")
        system.look()
        system.beat("w")
        assert system.look() == [saga_id]
    finally:
        app.conf.task_default_priority = None


def test_where_nobody_knows_the_priority_of_a_message_its_queue_has_probes_alone(system, app):
    app.conf.task_inherit_parent_priority = True
    try:
        system.fill()
        system.saga(age=50)
        suspect = system.saga()
        for _ in range(2):
            system.consume(ago=0)
            system.beat("w")
            assert system.look(*system.sagas) in ([suspect], [])
        assert system.published() == [suspect]
    finally:
        app.conf.task_inherit_parent_priority = False
