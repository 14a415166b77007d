"""What a sweep finds wrong in the branches of a stage, and what it leaves alone."""

import json
import os

import pytest
from kombu.exceptions import OperationalError

from amends.definition.serialization import canonical_json
from amends.dispatch import coordinator
from amends.dispatch.coordinator import advance
from amends.log.owner import WorkerProcess
from amends.worker.competence import Competence
from amends.worker.heartbeat import Heartbeat
from amends.worker.sweep import Sweep
from tests.integration.worker.test_sweep import always, dead_process, never, tick
from tests.support.log_view import view_of
from tests.support.sagas.wide import each_of, let_branches_wait, lot_of, wide_of

WIDE = wide_of("wide_swept")
PACKED = each_of("packed_swept")


@pytest.fixture
def app(app, broker, log):
    """Give the app while no worker runs: its queues keep what is published."""
    broker.delete("work", "undo")
    view_of(log).forget_workers()
    yield app
    broker.delete("work", "undo")


@pytest.fixture
def started(app, log, saga_id):
    """Start a saga in the log, let its first step be done and its stage be published."""

    def start(saga, given):
        log.starts.start_saga(saga_id, saga.itinerary, canonical_json(given))
        claim(log, saga_id, "a")
        end(log, saga_id, "a")
        advance(app, saga_id)
        return saga.get(saga_id)

    yield start
    view_of(log).client.zrem(view_of(log).due_key_of(saga_id), saga_id)


def claim(log, saga_id, path, *, owner="", retries=0):
    return log.claim_step(saga_id, path, token=f"t-{path}", owner=owner, retries=retries)


def end(log, saga_id, path):
    return log.complete_step(saga_id, path, token=f"t-{path}", output='{"part":"done"}', link="")


def published(broker, saga_id):
    """Take the messages that are in the queues; answers their records, each with its retries."""
    texts = [*broker.lrange("work", 0, -1), *broker.lrange("undo", 0, -1)]
    broker.delete("work", "undo")
    headers = [json.loads(each)["headers"] for each in texts]
    assert {each["root_id"] for each in headers} <= {saga_id}
    return sorted((each["id"].split(".", 2)[2], each["retries"]) for each in headers)


@pytest.fixture
def wide(started, broker, saga_id):
    handle = started(WIDE, {"job_id": saga_id, "amount": 1})
    assert published(broker, saga_id) == [("b", 0), ("d", 0)]
    return handle


def heal(app, saga_id, *, may_judge=never):
    Sweep(app, may_judge=may_judge).heal(saga_id)


def test_only_the_branch_whose_message_is_lost_is_published_again(app, log, broker, saga_id, wide):
    let_branches_wait(log, saga_id, ["p2.2"])
    heal(app, saga_id)
    assert published(broker, saga_id) == [("d", 0)]
    heal(app, saga_id)
    assert published(broker, saga_id) == []


def test_all_that_are_lost_are_published_in_one_pass(
    app, log, broker, saga_id, started, monkeypatch
):
    started(PACKED, lot_of(saga_id, 50).model_dump())
    assert len(published(broker, saga_id)) == 50
    let_branches_wait(log, saga_id, [f"p2.{n}" for n in range(1, 41)])
    passes, inner = [], coordinator.publish_branches

    def publish(app, of, chains):
        passes.append(len(chains))
        inner(app, of, chains)

    monkeypatch.setattr(coordinator, "publish_branches", publish)
    heal(app, saga_id)
    assert passes == [40]
    assert published(broker, saga_id) == sorted((f"ship[{n}]", 0) for n in range(1, 41))


def test_a_message_that_may_be_in_its_queue_is_left_there(app, log, broker, saga_id, wide):
    broker.lpush("work", "another")
    let_branches_wait(log, saga_id, ["p2.1", "p2.2"])
    heal(app, saga_id)
    assert broker.lrange("work", 0, -1) == [b"another"]


def test_a_claim_whose_process_died_ends_and_its_branch_alone_is_published(
    app, log, broker, saga_id, wide
):
    own = f"{saga_id}.4.d"
    claim(log, saga_id, "b", owner=f"{WorkerProcess.current.name}:{dead_process()}")
    claim(log, saga_id, "d", owner=f"{WorkerProcess.current.name}:{os.getpid()}:{own}")
    tick(log)
    Heartbeat(log, lambda: [os.getpid()], lambda: [own]).beat()
    view_of(log).make_due(saga_id)
    heal(app, saga_id, may_judge=always)
    assert published(broker, saga_id) == [("b", 1)]
    assert wide.snapshot().steps["d"].state == "running"


def test_a_broker_that_is_away_leaves_all_branches_due(
    app, log, broker, saga_id, wide, monkeypatch
):
    let_branches_wait(log, saga_id, ["p2.1", "p2.2"])
    view_of(log).make_due(saga_id)

    def refuse(*_):
        raise OperationalError("the broker is away")

    with monkeypatch.context() as patch:
        patch.setattr(coordinator, "publish_canvases", refuse)  # as copies of lost ones
        with pytest.raises(OperationalError):
            Sweep(app, may_judge=never).run_once()
    assert view_of(log).due_at(saga_id) is not None
    let_branches_wait(log, saga_id, ["p2.1", "p2.2"], seconds=25.0)
    heal(app, saga_id)
    assert published(broker, saga_id) == [("b", 0), ("d", 0)]


def test_a_saga_that_the_next_sweep_can_tell_of_is_put_back_once(
    app, log, saga_id, wide, monkeypatch
):
    let_branches_wait(log, saga_id, ["p2.1", "p2.2"])
    monkeypatch.setattr(Competence, "covers", lambda *_: False)
    monkeypatch.setattr(Competence, "is_left", lambda *_: True)
    assert Sweep(app, may_judge=never).run_once() == 0


def test_a_stage_that_was_never_published_is_published_at_the_first_look(app, log, broker, saga_id):
    log.starts.start_saga(saga_id, WIDE.itinerary, canonical_json({"job_id": saga_id, "amount": 1}))
    claim(log, saga_id, "a")
    end(log, saga_id, "a")
    view_of(log).make_due(saga_id)
    heal(app, saga_id)
    assert published(broker, saga_id) == [("b", 0), ("d", 0)]
