"""Rows S and O of the list of anomalies that take a crash, a duplicate or a broken log to see."""

import threading

import pytest

from amends import Refused
from amends.definition.serialization import canonical_json
from amends.dispatch.coordinator import advance, publish
from amends.log.answers import Publish
from tests.support.engine_saga import Job, job_saga, succeed, without_effect
from tests.support.eventually import eventually
from tests.support.log_view import view_of


def start(saga_id):
    return job_saga.start(Job(job_id=saga_id), saga_id=saga_id)


class Held:
    """An attempt that waits until the test lets it take effect."""

    def __init__(self):
        self.arrived, self.goes_on = threading.Event(), threading.Event()

    def __call__(self, key):
        self.arrived.set()
        assert self.goes_on.wait(60)
        succeed(key)


@pytest.fixture
def hold():
    """Give a way to hold attempts, which end with the test."""
    held = []

    def make():
        held.append(Held())
        return held[-1]

    yield make
    for each in held:
        each.goes_on.set()


def test_s3_a_step_s_message_that_comes_after_its_undo_is_refused(work, app, log, saga_id):
    work.script(f"{saga_id}:b", without_effect(Refused("no")))
    handle = start(saga_id)
    handle.wait(timeout=60)
    late = Publish(itinerary=job_saga.itinerary, number=90, wait=0.0, records=[("a", 5)])
    publish(app, saga_id, late)
    eventually(lambda: work.ended[f"{saga_id}.90.a"] == 1)
    assert work.records(saga_id) == ["a", "b", "a:undo"]


def test_s3_an_attempt_that_hangs_takes_no_effect_once_it_was_undone(work, log, saga_id, hold):
    held = hold()
    work.script(f"{saga_id}:a", held)
    handle = start(saga_id)
    assert held.arrived.wait(60)
    handle.cancel()
    work.let_time_run_out(log, saga_id)  # it is given up, and undone
    assert handle.wait(timeout=60).outcome == "cancelled"
    held.goes_on.set()
    eventually(lambda: handle.history()[-1].name == "step.late")
    assert f"{saga_id}:a" not in work.world.in_force
    assert work.world.made[f"{saga_id}:a"] == 0


@pytest.mark.parametrize("ends_by", ["cancel", "deadline"])
def test_s6_the_undo_waits_for_the_attempt_that_runs_and_includes_it(
    work, log, saga_id, hold, ends_by
):
    held = hold()
    work.script(f"{saga_id}:b", held)
    handle = start(saga_id)
    assert held.arrived.wait(60)
    if ends_by == "cancel":
        handle.cancel()
    else:
        view_of(log).client.hset(view_of(log).saga_key(saga_id), "deadline", 1)
        log.dispatch_saga(saga_id, longest_wait=300.0)
    assert handle.status == "compensating"
    assert work.records(saga_id) == ["a", "b"]
    held.goes_on.set()
    handle.wait(timeout=60)
    assert work.records(saga_id) == ["a", "b", "b:undo", "a:undo"]
    assert handle.snapshot().steps["b"].attempts == 1


def test_s17_nothing_changes_after_the_end_whatever_message_comes(work, app, saga_id):
    handle = start(saga_id)
    handle.wait(timeout=60)
    before = handle.history()
    records = [("a", 9), ("b", 9), ("c", 9)]
    publish(app, saga_id, Publish(itinerary=job_saga.itinerary, number=90, wait=0, records=records))
    advance(app, saga_id)
    eventually(lambda: work.ended[f"{saga_id}.90.a"] == 1)
    assert handle.history() == before
    assert work.records(saga_id) == ["a", "b", "c"]


def test_o4_of_a_dispatch_that_comes_three_times_each_step_runs_once(work, app, log, saga_id):
    job = canonical_json({"amount": 1, "job_id": saga_id})
    log.starts.start_saga(saga_id, job_saga.itinerary, job)
    for _ in range(3):
        advance(app, saga_id)
    assert job_saga.get(saga_id).wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "c"]


def test_o15_a_way_back_that_is_cut_is_resumed_and_not_begun_again(work, log, saga_id, hold):
    held = hold()
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    work.script(f"{saga_id}:a:undo", held)
    handle = start(saga_id)
    assert held.arrived.wait(60)
    work.let_time_run_out(log, saga_id)
    assert handle.wait(timeout=60).outcome == "no_c"
    assert work.records(saga_id) == ["a", "b", "c", "b:undo", "a:undo", "a:undo"]
    assert work.world.undone[f"{saga_id}:b"] == 1


def test_o19_a_step_that_the_log_forgot_is_done_again_and_takes_effect_once(
    work, log, saga_id, hold
):
    held = hold()
    work.script(f"{saga_id}:c", held)
    handle = start(saga_id)
    eventually(lambda: handle.snapshot().steps["b"].state == "done")
    assert held.arrived.wait(60)
    saga = view_of(log).saga_key(saga_id)
    # The log goes back to before the result of b was acknowledged, and c begun.
    back = {"states": "1=done,2=running", "claim": "2|1|1|1|t|gone:1"}
    view_of(log).client.hset(saga, mapping=back)
    view_of(log).client.hdel(saga, "2.x", "2.a", "2.t")
    work.let_time_run_out(log, saga_id)
    held.goes_on.set()
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "c", "b", "c"]
    assert work.world.made[f"{saga_id}:b"] == 1


def test_c13_what_a_person_undid_is_not_undone_by_the_engine_too(work, app, saga_id):
    work.script(f"{saga_id}:b", without_effect(Refused("no")))
    work.script(f"{saga_id}:a:undo", *[without_effect(ValueError("no"))] * 3)
    handle = start(saga_id)
    eventually(lambda: handle.status == "stuck")
    handle.skip("a", by="ada", why="by hand")
    late = Publish(itinerary=job_saga.itinerary, number=90, wait=0.0, records=[("a:undo", 9)])
    publish(app, saga_id, late)
    eventually(lambda: work.ended[f"{saga_id}.90.a.undo"] == 1)
    assert work.records(saga_id).count("a:undo") == 3
    assert handle.history()[-2].details == {"by": "ada", "why": "by hand"}
