"""What a sweep finds wrong, and what it leaves alone."""

import json
import os
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from celery import Celery
from celery.concurrency.solo import TaskPool
from celery.contrib.testing.worker import start_worker
from kombu.exceptions import OperationalError

from amends.backend.settings import settings_of
from amends.definition.serialization import canonical_json
from amends.dispatch.coordinator import advance
from amends.log import liveness
from amends.log.liveness import lost_owner
from amends.log.owner import WorkerProcess
from amends.worker import bootstep as bootsteps
from amends.worker import heartbeat, in_hand, lost_messages
from amends.worker import sweep as recovery
from amends.worker.bootstep import Recovery
from amends.worker.heartbeat import Heartbeat
from amends.worker.sweep import Sweep
from demo.ports import free_port
from tests.support.claims import change_claim
from tests.support.clock import Since, redis_now
from tests.support.engine_saga import Job, engine_saga, job_saga
from tests.support.eventually import eventually
from tests.support.log_view import view_of


def always():
    return True


def never():
    return False


def tick(log):
    """Wait until the log's clock has moved on by a millisecond or two."""
    began = view_of(log).client.time()
    while view_of(log).client.time() <= (began[0], began[1] + 2000):
        pass


@pytest.fixture
def alone(log, saga_id):
    """Give a saga in the log that was never published, in no worker's hands but the test's."""
    log.starts.start_saga(
        saga_id, job_saga.itinerary, canonical_json({"job_id": saga_id, "amount": 1})
    )
    yield job_saga.get(saga_id)
    view_of(log).client.zrem(
        view_of(log).due_key_of(saga_id), saga_id
    )  # no other test's sweep finds it


@pytest.fixture
def quiet_app(app, broker, log):
    """Give the app while no worker runs: its queue keeps what is published."""
    broker.delete("work", "undo")
    view_of(log).forget_workers()
    yield app
    broker.delete("work", "undo")


def claim(log, saga_id, *, owner, token="t"):
    return log.claim_step(saga_id, "a", token=token, owner=owner, retries=0)


def dead_process():
    """Start a process and wait for its end: its pid is nobody's."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def events(handle):
    return [event.name for event in handle.history()]


def error_of(handle):
    return handle.snapshot().steps["a"].error


# Messages


def test_o3_a_message_whose_queue_is_empty_is_published_again(quiet_app, broker, log, alone):
    engine_saga.let_wait(log, alone.id)
    Sweep(quiet_app, may_judge=never).heal(alone.id)
    assert published(broker, alone.id) == 1


def test_a_message_in_a_queue_that_is_not_empty_is_left_there(quiet_app, broker, alone):
    broker.lpush("work", "another")
    for _ in range(3):
        Sweep(quiet_app, may_judge=never).heal(alone.id)
    assert broker.lrange("work", 0, -1) == [b"another"]


@pytest.fixture
def is_published(quiet_app, broker, log, alone):
    """Tell whether a sweep publishes a saga whose message, the last of so many, has this age."""

    def tell(*, age, times):
        engine_saga.let_wait(log, alone.id, age, times=times)
        before = broker.llen("work")
        Sweep(quiet_app, may_judge=never).heal(alone.id)
        return broker.llen("work") > before

    return tell


@pytest.mark.parametrize(
    ("times", "age", "sent"),
    [
        *[(1, 58, False), (1, 60, True), (2, 118, False), (2, 120, True), (3, 240, True)],
        *[(4, 478, False), (4, 480, True), (5, 598, False), (5, 600, True), (9, 600, True)],
    ],
)
def test_the_patience_for_a_probe_doubles_up_to_ten_minutes(is_published, broker, times, age, sent):
    broker.lpush("work", "another")
    assert is_published(age=age, times=times) is sent


@pytest.mark.parametrize(
    ("times", "age", "lost"),
    [(1, 8, False), (1, 10, True), (2, 18, False), (2, 20, True), (3, 38, False), (3, 40, True)],
)
def test_with_an_empty_queue_patience_is_shorter_and_doubles_too(is_published, times, age, lost):
    assert is_published(age=age, times=times) is lost


def let_pass(log, saga_id, seconds):
    """Let it be so many seconds later for a saga that waits."""
    saga, _, due, *_ = view_of(log).keys_of(saga_id)
    client, ms = view_of(log).client, int(seconds * 1000)
    for name in ("1.w", "sent"):
        if int(client.hget(saga, name)):
            client.hincrby(saga, name, -ms)
    client.zincrby(due, -ms, saga_id)


@pytest.mark.parametrize("wait", [290.0, 400.0])
def test_a_wait_that_was_left_to_the_log_is_over_in_time_whatever_is_in_the_queue(
    quiet_app, broker, log, alone, wait
):
    broker.lpush("work", "another")
    claim(log, alone.id, owner="")
    error = '{"type":"NotDone","message":"later"}'
    how = {"error": error, "wait": wait, "unknown": False, "cost": "attempt"}
    log.retry_step(alone.id, "a", token="t", **how)
    let_pass(log, alone.id, wait + 1)
    before = broker.llen("work")
    Sweep(quiet_app, may_judge=never).run_once()
    longest = settings_of(quiet_app).max_countdown
    assert (broker.llen("work") > before) is (wait > longest)


def test_a_saga_that_was_published_a_thousand_times_is_only_looked_at_calmly(is_published):
    assert not is_published(age=1, times=5000)


@pytest.fixture
def calm(log, saga_id, monkeypatch):
    """Give a saga whose message is lost too, and which is to be looked at in an hour, unless it is drawn."""
    for each in ("_MOST_HASTENED", "_HASTENED_BY_EACH"):
        monkeypatch.setattr(recovery, each, 100_000)  # every one is drawn
    calm_id = f"calm-{saga_id}"
    log.starts.start_saga(
        calm_id, job_saga.itinerary, canonical_json({"job_id": calm_id, "amount": 1})
    )
    engine_saga.let_wait(log, calm_id)
    due, client = view_of(log).due_key_of(calm_id), view_of(log).client
    client.zadd(due, {calm_id: (client.time()[0] + 3600) * 1000})
    yield calm_id
    client.zrem(due, calm_id)


@pytest.mark.parametrize("was_sent", [True, False])
def test_a_lost_message_lets_others_be_looked_at_that_were_to_stand_for_long(
    quiet_app, broker, log, alone, calm, was_sent
):
    engine_saga.let_wait(log, alone.id, times=int(was_sent))
    Sweep(quiet_app, may_judge=never).run_once()
    assert published(broker, alone.id) == 1
    assert due_soon(log, calm) is was_sent  # what waited in the log until now was not lost


def test_a_message_that_is_not_lost_hastens_nothing(quiet_app, broker, log, alone, calm):
    broker.lpush("work", "another")
    engine_saga.let_wait(log, alone.id)
    Sweep(quiet_app, may_judge=never).run_once()
    assert not due_soon(log, calm)


def due_soon(log, saga_id):
    due = view_of(log).due_at(saga_id)
    return due < (view_of(log).client.time()[0] + 600) * 1000


def published(broker, saga_id):
    """Count the messages of a saga, among those of other tests."""
    messages = map(json.loads, broker.lrange("work", 0, -1))
    return sum(message["headers"]["root_id"] == saga_id for message in messages)


def test_o24_one_saga_that_cannot_be_healed_does_not_keep_the_others_from_it(
    quiet_app, broker, log, alone, monkeypatch
):
    bad = f"bad-{alone.id}"
    log.starts.start_saga(bad, job_saga.itinerary, '{"job_id":"x"}')
    for each in (bad, alone.id):
        engine_saga.let_wait(log, each)
    heal = Sweep._heal

    def stumble(self, saga_id, found):
        if saga_id == bad:
            raise KeyError("queue")
        return heal(self, saga_id, found)

    monkeypatch.setattr(Sweep, "_heal", stumble)
    Sweep(quiet_app, may_judge=never).run_once()
    assert published(broker, alone.id) == 1


def test_o24_a_saga_whose_record_is_broken_does_not_keep_the_others_from_it(
    quiet_app, broker, log, alone
):
    bad = f"bad-{alone.id}"
    log.starts.start_saga(bad, job_saga.itinerary, '{"job_id":"x"}')
    for each in (bad, alone.id):
        engine_saga.let_wait(log, each)
    view_of(log).client.hset(view_of(log).saga_key(bad), "sent", "yesterday")
    Sweep(quiet_app, may_judge=never).run_once()
    assert published(broker, alone.id) == 1
    view_of(log).client.delete(view_of(log).saga_key(bad))


def test_o18_an_entry_without_a_saga_is_dropped_when_it_is_met(quiet_app, log, saga_id):
    due = view_of(log).due_key_of(saga_id)
    view_of(log).client.zadd(due, {saga_id: 0})
    Sweep(quiet_app, may_judge=never).run_once()
    assert view_of(log).client.zscore(due, saga_id) is None


def test_one_sweep_asks_for_the_length_of_a_queue_once(quiet_app, log, alone, calm, monkeypatch):
    asked = []
    monkeypatch.setattr(lost_messages, "queue_length", lambda _, queue: asked.append(queue) or 1)
    for each in (alone.id, calm):
        engine_saga.let_wait(log, each)
    Sweep(quiet_app, may_judge=never).run_once()
    assert asked.count("work") == 1


def test_o16_a_sweep_twice_equals_a_sweep_once(quiet_app, broker, log, alone):
    engine_saga.let_wait(log, alone.id)
    for _ in range(2):
        Sweep(quiet_app, may_judge=never).run_once()
    assert published(broker, alone.id) == 1


def test_with_the_broker_away_a_sweep_ends_and_says_so(app, log, alone):
    away = Celery("away", broker=f"redis://127.0.0.1:{free_port()}/0", set_as_current=False)
    away.conf.update(amends_backend=app.conf.amends_backend, amends_compensation_queue="undo")
    engine_saga.let_wait(log, alone.id)
    view_of(log).client.hdel(view_of(log).saga_key(alone.id), "app")  # it is anyone's
    with pytest.raises(OperationalError):
        Sweep(away, may_judge=never).run_once()
    due = view_of(log).due_at(alone.id)
    assert due <= view_of(log).client.time()[0] * 1000 + 1000  # for the sweep that finds it back


@pytest.mark.parametrize("transport", ["redis", "amqp"])
@pytest.mark.timeout(60)
def test_with_a_broker_that_never_answers_a_sweep_ends_and_says_so(app, log, alone, transport):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{transport}://127.0.0.1:{silent.getsockname()[1]}/"
        away = Celery("silent", broker=url, set_as_current=False)
        away.conf.update(amends_backend=app.conf.amends_backend, amends_compensation_queue="undo")
        engine_saga.let_wait(log, alone.id)
        view_of(log).client.hdel(view_of(log).saga_key(alone.id), "app")  # it is anyone's
        with pytest.raises(OperationalError):
            Sweep(away, may_judge=never).run_once()


# Owners


def test_a_process_that_its_worker_no_longer_names_is_dead_and_its_step_tried_again(
    quiet_app, broker, log, alone
):
    claim(log, alone.id, owner=f"{WorkerProcess.current.name}:{dead_process()}")
    tick(log)
    Heartbeat(log, lambda: [os.getpid()]).beat()
    Sweep(quiet_app, may_judge=always).heal(alone.id)
    assert events(alone)[-1] == "step.retrying"
    assert error_of(alone).startswith("WorkerLostError")
    record = log.read_saga(alone.id).records["a"]
    assert (record.attempts, record.used.attempts) == (1, 0)  # a lost owner spends none
    assert published(broker, alone.id) == 1
    assert log.complete_step(alone.id, "a", token="t", output="{}", link="").said == "late"


def test_a_process_that_its_worker_names_is_left_alone(quiet_app, log, alone):
    claim(log, alone.id, owner=f"{WorkerProcess.current.name}:{os.getpid()}")
    tick(log)
    Heartbeat(log, lambda: [os.getpid()]).beat()
    Sweep(quiet_app, may_judge=always).heal(alone.id)
    assert events(alone)[-1] == "step.started"


def test_a_heartbeat_from_before_the_claim_says_nothing_of_its_owner(quiet_app, log, alone):
    Heartbeat(log, lambda: [os.getpid()]).beat()
    tick(log)
    claim(log, alone.id, owner=f"{WorkerProcess.current.name}:{dead_process()}")
    Sweep(quiet_app, may_judge=always).heal(alone.id)
    assert events(alone)[-1] == "step.started"


def test_nobody_is_judged_by_a_worker_that_may_not(quiet_app, log, alone):
    claim(log, alone.id, owner=f"another:{dead_process()}")
    tick(log)
    log.workers.note_heartbeat("another", {os.getpid()}, [])
    Sweep(quiet_app, may_judge=never).heal(alone.id)
    assert events(alone)[-1] == "step.started"


@pytest.mark.parametrize(("may_judge", "seconds"), [(always, 10), (never, 0)])
def test_what_one_worker_may_not_judge_stays_due_for_another(
    quiet_app, log, alone, may_judge, seconds
):
    claim(log, alone.id, owner=f"{WorkerProcess.current.name}:{os.getpid()}")
    due = view_of(log).due_key_of(alone.id)
    view_of(log).client.zadd(due, {alone.id: 0})
    Heartbeat(log, lambda: [os.getpid()]).beat()
    client = view_of(log).client
    since = Since(client)
    Sweep(quiet_app, may_judge=may_judge).run_once()
    assert client.zscore(due, alone.id) / 1000 - redis_now(client) in since.left(seconds)


def test_what_runs_without_a_worker_has_no_owner_to_die(log, alone, monkeypatch):
    monkeypatch.setattr(liveness, "DEAD_AFTER", 0.0)
    claim(log, alone.id, owner="")
    running = log.dispatch_saga(alone.id, longest_wait=300.0)
    assert lost_owner(running, log.workers.read_heartbeat) is None


@pytest.mark.parametrize(("dead_after", "dead"), [(60.0, False), (0.0, True)])
def test_a_worker_is_dead_that_has_not_beaten_for_long(log, alone, monkeypatch, dead_after, dead):
    claim(log, alone.id, owner=f"gone:{os.getpid()}")
    monkeypatch.setattr(liveness, "DEAD_AFTER", dead_after)
    for _ in range(2):
        tick(log)
        running = log.dispatch_saga(alone.id, longest_wait=300.0)
        assert (lost_owner(running, log.workers.read_heartbeat) == "worker_death") is dead
        log.workers.note_heartbeat("gone", [os.getpid()])


def test_a_sweep_reads_a_worker_s_heartbeat_once_and_the_next_one_anew(
    quiet_app, log, alone, calm, monkeypatch
):
    read, asked = type(log.workers).read_heartbeat, []

    def count(workers, worker):
        asked.append(worker)
        return read(workers, worker)

    monkeypatch.setattr(type(log.workers), "read_heartbeat", count)
    owner = f"{alone.id}:{os.getpid()}"
    for each in (alone.id, calm):
        claim(log, each, owner=owner)
    for looks in (1, 2):
        for each in (alone.id, calm):
            view_of(log).make_due(each)
        Sweep(quiet_app, may_judge=always).run_once()
        assert asked.count(alone.id) == looks


@pytest.mark.parametrize(("at_it", "abandoned"), [(True, False), (False, True)])
def test_a_claim_whose_worker_lives_and_no_longer_has_its_message_is_abandoned(
    quiet_app, broker, log, alone, at_it, abandoned
):
    message = f"{alone.id}.1.a"
    claim(log, alone.id, owner=f"{WorkerProcess.current.name}:{os.getpid()}:{message}")
    tick(log)
    Heartbeat(log, lambda: [os.getpid()], lambda: [message] if at_it else []).beat()
    Sweep(quiet_app, may_judge=always).heal(alone.id)
    assert (events(alone)[-1] == "step.retrying") is abandoned
    assert broker.llen("work") == abandoned
    if abandoned:
        assert error_of(alone).startswith("LogUnavailable")
        record = alone.snapshot().steps["a"]
        assert (record.attempts, log.read_saga(alone.id).fields.get("1.p")) == (0, None)
        assert log.read_saga(alone.id).fields["1.u"] == "1"  # it may have run, and lost its result


def test_a_worker_with_too_many_messages_to_tell_says_nothing_of_them(log, monkeypatch):
    requests = [SimpleNamespace(id=str(n)) for n in range(1001)]
    monkeypatch.setattr(in_hand.state, "reserved_requests", requests)
    assert in_hand.messages_in_hand(None) is None
    monkeypatch.setattr(in_hand.state, "reserved_requests", requests[:3])
    assert {"0", "1", "2"} <= in_hand.messages_in_hand(None)
    for messages in (["0"], None):
        Heartbeat(log, list, lambda told=messages: told).beat()
        assert log.workers.read_heartbeat(WorkerProcess.current.name).messages == (
            messages and {"0"}
        )


def test_a_worker_says_which_messages_are_in_its_hands(app, log, saga_id):
    arrived, goes_on = threading.Event(), threading.Event()

    def hold(key):
        arrived.set()
        assert goes_on.wait(60)

    engine_saga.script(f"{saga_id}:a", hold)
    with start_worker(app, pool="threads", loglevel="CRITICAL", perform_ping_check=False):
        handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        assert arrived.wait(60)
        owner = log.read_saga(saga_id).fields["1.o"]
        assert owner.split(":")[2] == f"{saga_id}.1.a"
        eventually(
            lambda: (
                owner.split(":")[2]
                in (log.workers.read_heartbeat(WorkerProcess.current.name).messages or ())
            )
        )
        goes_on.set()
        handle.wait(timeout=60)


def test_s11_a_step_whose_owners_die_of_it_is_poison_and_unknown(quiet_app, log, alone):
    for life in range(5):
        log.claim_step(
            alone.id,
            "a",
            token=f"t{life}",
            owner=f"{WorkerProcess.current.name}:{dead_process()}",
            retries=life,
        )
        tick(log)
        Heartbeat(log, lambda: [os.getpid()]).beat()
        Sweep(quiet_app, may_judge=always).heal(alone.id)
    assert (alone.status, alone.outcome) == ("compensating", "no_a")
    assert alone.snapshot().steps["a"].state == "unknown"


def test_a_takeover_that_is_cut_short_leaves_the_owner_as_dead_as_it_was(
    quiet_app, log, alone, monkeypatch
):
    claim(log, alone.id, owner=f"{WorkerProcess.current.name}:{dead_process()}")
    tick(log)
    Heartbeat(log, lambda: [os.getpid()]).beat()
    with monkeypatch.context() as cut:
        cut.setattr(type(log), "retry_step", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Sweep(quiet_app, may_judge=always).heal(alone.id)
    Sweep(quiet_app, may_judge=always).heal(alone.id)
    assert error_of(alone).startswith("WorkerLostError")


def test_o24d_whether_it_may_judge_is_asked_at_each_judgement(quiet_app, log, alone):
    claim(log, alone.id, owner=f"another:{dead_process()}")
    tick(log)
    log.workers.note_heartbeat("another", {os.getpid()}, [])
    allowed = []
    sweep = Sweep(quiet_app, may_judge=lambda: bool(allowed))
    sweep.heal(alone.id)
    assert events(alone)[-1] == "step.started"
    allowed.append("now")
    sweep.heal(alone.id)
    assert events(alone)[-1] == "step.retrying"


def test_an_attempt_past_its_time_is_given_up_whoever_lives(quiet_app, log, alone):
    claim(log, alone.id, owner=f"{WorkerProcess.current.name}:{os.getpid()}")
    change_claim(view_of(log).client, view_of(log).saga_key(alone.id), given_up_at=1)
    Sweep(quiet_app, may_judge=never).heal(alone.id)
    assert error_of(alone) == "TimeoutError: no answer after 60 s"


def test_o26_an_undo_waits_in_a_queue_of_its_own(quiet_app, broker, log, alone):
    claim(log, alone.id, owner="")
    log.complete_step(alone.id, "a", token="t", output='{"part":"a"}', link="")
    alone.cancel()  # which sends `advance`
    advance(quiet_app, alone.id)
    assert (broker.llen("work"), broker.llen("undo")) == (0, 2)


@pytest.mark.parametrize(
    ("judges", "is_ending", "sweeps"), [(always, False, 3), (never, False, 1), (always, True, 1)]
)
def test_a_worker_sweeps_until_little_is_due_unless_that_stays_due(
    monkeypatch, judges, is_ending, sweeps
):
    found, ends = [recovery.BATCH, recovery.BATCH, 0], threading.Event()
    if is_ending:
        ends.set()
    bootsteps._run(SimpleNamespace(run_once=lambda: found.pop(0)), judges, ends)
    assert len(found) == 3 - sweeps


def test_a_worker_that_is_ended_leaves_no_thread_of_ours(quiet_app):
    before = {*threading.enumerate()}  # of which some may end meanwhile

    def ours():
        new = {*threading.enumerate()} - before
        return [thread for thread in new if thread.name.startswith("amends-")]

    with start_worker(
        quiet_app,
        pool="threads",
        loglevel="CRITICAL",
        perform_ping_check=False,
        shutdown_timeout=30,
    ):
        assert len(ours()) == 3  # sweep, heartbeat, retention
    eventually(lambda: not ours())


def test_workers_of_one_parent_process_have_names_of_their_own():
    names = []
    for node in ("a@here", "b@here"):
        pool = {"pool_cls": TaskPool, "max_concurrency": None, "concurrency": 1}
        Recovery(SimpleNamespace(app=Celery(), hostname=node, task_events=False, **pool))
        names.append(WorkerProcess.current.name)
    WorkerProcess.current.leave()
    assert len(set(names)) == 2


# Who may judge (O24d)


class Time:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Time()
    monkeypatch.setattr(heartbeat, "time", clock)
    return clock


def test_o24d_a_worker_judges_after_fifteen_seconds_of_accepted_beats(log, clock):
    beating = Heartbeat(log, list)
    assert not beating.may_judge()
    for _ in range(7):
        beating.beat()
        assert not beating.may_judge()
        clock.now += 2.0
    beating.beat()
    clock.now += 1.0
    assert beating.may_judge()


def test_o24d_a_gap_in_the_beats_begins_it_anew(log, clock):
    beating = Heartbeat(log, list)
    for _ in range(10):
        beating.beat()
        clock.now += 2.0
    assert beating.may_judge()
    clock.now += 20.0
    assert not beating.may_judge()
    beating.beat()
    assert not beating.may_judge()
