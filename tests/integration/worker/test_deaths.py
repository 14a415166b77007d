"""When an owner died, and which deaths speak against the step that it ran."""

import os
import threading
from types import SimpleNamespace

import pytest

from amends.activities import attempt
from amends.definition.serialization import canonical_json
from amends.log import liveness
from amends.log.owner import WorkerProcess
from amends.worker.heartbeat import Heartbeat
from amends.worker.sweep import Sweep
from tests.support.claims import change_claim
from tests.support.engine_saga import Job, engine_saga, inline_saga, job_saga, succeed
from tests.support.eventually import eventually
from tests.support.log_view import view_of

LIMIT = 60.0  # of each step, in seconds
PID = 4_000_000  # no process has it


@pytest.fixture
def alone(log, saga_id, app, broker):
    """Give a saga in the log that no worker knows of."""
    text = canonical_json({"job_id": saga_id, "amount": 1})
    log.starts.start_saga(saga_id, job_saga.itinerary, text)
    yield job_saga.get(saga_id)
    view_of(log).client.zrem(view_of(log).due_key_of(saga_id), saga_id)
    broker.delete("work", "undo")


def now(log):
    seconds, micros = view_of(log).client.time()
    return seconds + micros / 1_000_000


def claim(log, saga_id, *, worker, ago, tries=0):
    """Claim the first step, and let that have been so many seconds ago. Returns when it was."""
    owner, token = f"{worker}:{PID}", f"t{tries}"
    assert log.claim_step(saga_id, "a", token=token, owner=owner, retries=tries)
    at = now(log) - ago
    key = view_of(log).saga_key(saga_id)
    change_claim(view_of(log).client, key, at=round(at * 1000))
    return at


def was_seen(log, worker, pids, at):
    """Let the last heartbeat of a worker be of that time."""
    log.workers.note_heartbeat(worker, pids, [])
    view = view_of(log)
    view.client.hset(f"{view.workers_key}:{worker}", "at", round(at * 1000))


def sweep(app, saga_id, *, may_judge=True):
    Sweep(app, may_judge=lambda: may_judge).heal(saga_id)


def result(log, alone):
    """Return the error of the first step, and how many attempts of its budget were spent."""
    record = log.read_saga(alone.id).records["a"]
    return (record.error or "").partition(":")[0], record.used.attempts


@pytest.mark.parametrize(
    ("named_for", "error", "attempts"),
    [
        (None, "WorkerLostError", 0),
        (1.0, "WorkerLostError", 0),
        (LIMIT + 5, "TimeoutError", 1),
    ],
)
def test_o24e_a_process_died_when_a_heartbeat_last_named_it_however_late_that_is_noticed(
    app, log, alone, named_for, error, attempts
):
    at = claim(log, alone.id, worker=alone.id, ago=LIMIT + 10)
    if named_for:
        log.workers.note_ended(alone.id, {PID: at + named_for})
    was_seen(log, alone.id, [1], now(log))
    sweep(app, alone.id)
    assert result(log, alone) == (error, attempts)


@pytest.mark.parametrize(
    ("beat_for", "error", "attempts"),
    [(1.0, "WorkerLostError", 0), (LIMIT + 5, "TimeoutError", 1)],
)
def test_o24e_a_worker_died_at_its_last_heartbeat_however_late_that_is_noticed(
    app, log, alone, beat_for, error, attempts
):
    at = claim(log, alone.id, worker=alone.id, ago=LIMIT + 60)
    change_claim(view_of(log).client, view_of(log).saga_key(alone.id), given_up_at=1)
    was_seen(log, alone.id, [PID], at + beat_for)
    sweep(app, alone.id)
    assert result(log, alone) == (error, attempts)


def test_a_death_in_time_is_left_to_those_who_may_judge_it(app, log, alone):
    at = claim(log, alone.id, worker=alone.id, ago=LIMIT + 60)
    change_claim(view_of(log).client, view_of(log).saga_key(alone.id), given_up_at=1)
    was_seen(log, alone.id, [PID], at + 1)
    sweep(app, alone.id, may_judge=False)
    assert result(log, alone) == ("", 0)


def test_a_worker_knows_its_own_pool_although_it_may_not_judge_others(app, log, alone):
    own = WorkerProcess.current.name
    claim(log, alone.id, worker=own, ago=3.0)
    was_seen(log, own, [1], now(log))
    sweep(app, alone.id, may_judge=False)
    assert result(log, alone) == ("WorkerLostError", 0)


def test_a_worker_that_could_not_beat_in_an_outage_is_not_dead_to_itself(app, log, alone):
    own = WorkerProcess.current.name
    claim(log, alone.id, worker=own, ago=2 * liveness.DEAD_AFTER)
    was_seen(log, own, [PID], now(log) - 1.5 * liveness.DEAD_AFTER)
    sweep(app, alone.id, may_judge=False)
    assert result(log, alone) == ("", 0)


def test_a_worker_tells_when_it_last_named_a_process_that_ended(log):
    pids = [PID, os.getpid()]
    heartbeat = Heartbeat(log, lambda: pids)
    heartbeat.beat()
    named = log.workers.read_heartbeat(WorkerProcess.current.name)
    pids.remove(PID)
    heartbeat.beat()
    seen = log.workers.read_heartbeat(WorkerProcess.current.name)
    assert seen.ended[str(PID)] == named.at
    assert str(PID) not in seen.pids


def test_the_processes_that_ended_are_told_of_the_last_hundred(log):
    named = iter([range(PID, PID + 150), ()])
    heartbeat = Heartbeat(log, lambda: next(named))
    for _ in range(2):
        heartbeat.beat()
    assert len(log.workers.read_heartbeat(WorkerProcess.current.name).ended) == 100


def let_die(app, log, alone, tries):
    """Let the worker that has claimed the step die, with all that it ran."""
    worker = f"{alone.id}-{tries}"
    claim(log, alone.id, worker=worker, ago=30.0, tries=tries)
    was_seen(log, worker, [PID], now(log) - 20)
    sweep(app, alone.id)


def test_s11_a_step_whose_workers_die_is_poison_once_it_died_apart_from_others(app, log, alone):
    for life in range(liveness.APART_AFTER):
        let_die(app, log, alone, life)
    record = log.read_saga(alone.id).records["a"]
    assert (record.used.deaths, alone.status) == (0, "running")
    for life in range(5):
        assert alone.status == "running"
        let_die(app, log, alone, liveness.APART_AFTER + life)
    assert (alone.status, alone.outcome) == ("compensating", "no_a")
    assert alone.snapshot().steps["a"].state == "unknown"


@pytest.fixture(params=[job_saga, inline_saga], ids=["chain", "inline"])
def suspects(request, log, saga_id, work, monkeypatch):
    """Give two sagas whose workers have died twice, started by a worker with four threads."""
    view_of(log).forget_workers()  # those of other tests did not tell what they had in hand
    monkeypatch.setattr(attempt, "_TURN_AFTER", (0.1, 0.2))
    handles = []
    for name in ("one", "two"):
        each = f"{name}-{saga_id}"
        text = canonical_json({"job_id": each, "amount": 1})
        log.starts.start_saga(each, request.param.itinerary, text)
        fields = {"1.q": liveness.APART_AFTER, "states": "1=pending"}
        view_of(log).client.hset(view_of(log).saga_key(each), mapping=fields)
        handles.append(request.param.get(each))
    return handles


def test_s11_steps_whose_workers_died_run_one_at_a_time_in_a_worker(app, log, suspects, saga_id):
    seen, goes_on = SimpleNamespace(now=0, most=0), threading.Event()

    def call(key):
        seen.now += 1
        seen.most = max(seen.most, seen.now)
        assert goes_on.wait(60)
        succeed(key)
        seen.now -= 1

    for each in suspects:
        engine_saga.script(f"{each.id}:a", call)
        engine_saga.let_wait(log, each.id, 1000)
    eventually(
        lambda: sum("waits to run apart" in str(e.details) for h in suspects for e in h.history())
    )
    goes_on.set()
    for each in suspects:
        assert each.wait(timeout=60).outcome == "completed"
        assert each.snapshot().steps["a"].attempts == 3  # its worker died in two of them
    assert seen.most == 1


def test_other_steps_run_beside_one_whose_workers_died(app, log, suspects, saga_id):
    arrived, goes_on = threading.Event(), threading.Event()

    def hold(_):
        arrived.set()
        assert goes_on.wait(60)

    suspect, _ = suspects
    engine_saga.script(f"{suspect.id}:a", hold)
    engine_saga.let_wait(log, suspect.id, 1000)
    assert arrived.wait(60)
    assert (
        job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(timeout=60).outcome == "completed"
    )
    goes_on.set()
    assert suspect.wait(timeout=60).outcome == "completed"
