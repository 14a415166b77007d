"""Sagas that wait for signals and times, on real workers: chain and inline, on each broker."""

import time

import pytest
from pydantic import ValidationError

import amends
from amends import ActRefused, Delay, Parallel, Signalled
from tests.support.eventually import eventually
from tests.support.sagas.shapes import Approval, Order, approval, shape_of, step
from tests.support.sagas.wide import DISPATCHES

pytestmark = pytest.mark.usefixtures("swept")


def each_way(name, *stages, **how):
    """Define a saga of these stages for each way to reach the next step."""
    return {each: shape_of(f"{name}_{each}", *stages, dispatch=each, **how) for each in DISPATCHES}


ASKED = each_way("asked", step("a"), approval(), step("b"))
HURRIED = each_way("hurried", step("a"), approval(timeout=0.3), step("b"))
PATIENT = each_way("patient", step("a"), approval(timeout=0.3, on_timeout="continue"), step("b"))
FIRST = each_way("asked_first", approval(), step("b"))
VOTED = each_way("voted", step("a"), approval(count=3), step("b"))
DELAYED = each_way("delayed", step("a"), Delay(0.3), step("b"))
BESIDE = each_way(
    "asked_beside", step("a"), Parallel([step("b"), approval(), step("c")], step("d")), step("e")
)


@pytest.fixture(scope="module")
def app(each_app):
    return each_app


def begin(saga, saga_id, **given):
    return saga.start(Order(job_id=saga_id, **given), saga_id=saga_id)


def until_it_waits(handle, step="approval"):
    eventually(lambda: handle.snapshot().steps[step].state == "waiting")


def test_a_saga_goes_on_once_it_has_its_signal(work, saga_id, dispatch):
    handle = begin(ASKED[dispatch], saga_id)
    until_it_waits(handle)
    assert handle.status == "running"
    assert handle.signal("approval", Approval(), by="ada") is Signalled.TAKEN
    handle.wait(timeout=60)
    assert (handle.status, work.records(saga_id)) == ("completed", ["a", "b"])


def test_a_signal_that_comes_first_is_kept(work, saga_id, dispatch):
    handle = begin(FIRST[dispatch], saga_id)
    handle.signal("approval", {"granted": False}, id="click-81")
    handle.wait(timeout=60)
    assert (handle.status, work.records(saga_id)) == ("completed", ["b"])


def test_a_time_that_is_over_turns_the_saga(work, saga_id, dispatch):
    handle = begin(HURRIED[dispatch], saga_id)
    assert handle.wait(timeout=60).outcome == "no_approval"
    assert work.records(saga_id) == ["a", "a:undo"]
    assert "TimeoutError: approval had 0 of 1 signals" in handle.snapshot().steps["approval"].error


def test_or_is_passed_over(work, saga_id, dispatch):
    handle = begin(PATIENT[dispatch], saga_id)
    handle.wait(timeout=60)
    assert (handle.status, work.records(saga_id)) == ("completed", ["a", "b"])


def test_a_delay_holds_its_saga_for_its_time(work, saga_id, dispatch):
    handle = begin(DELAYED[dispatch], saga_id)
    handle.wait(timeout=60)
    at = {event.record: event.at for event in handle.history() if event.name == "step.started"}
    assert at["b"] - at["a"] >= 0.3
    assert work.records(saga_id) == ["a", "b"]


def test_several_signals_of_several_people(work, saga_id, dispatch):
    handle = begin(VOTED[dispatch], saga_id)
    until_it_waits(handle)
    answers = [handle.signal("approval", Approval(), by=who) for who in ("ada", "bob", "cem")]
    assert answers == ["counted", "counted", "taken"]
    handle.wait(timeout=60)
    assert handle.status == "completed"


def test_a_branch_waits_while_others_go_on(work, saga_id, dispatch):
    handle = begin(BESIDE[dispatch], saga_id)
    until_it_waits(handle)
    handle.wait(timeout=60, until="d")
    handle.signal("approval", Approval())
    handle.wait(timeout=60)
    assert handle.status == "completed"
    assert sorted(work.records(saga_id)) == ["a", "b", "c", "d", "e"]


def test_a_cancel_ends_the_wait(work, saga_id, dispatch):
    handle = begin(ASKED[dispatch], saga_id)
    until_it_waits(handle)
    assert handle.cancel()
    handle.wait(timeout=60)
    assert (handle.status, work.records(saga_id)) == ("compensated", ["a", "a:undo"])


def test_whoever_finds_the_saga_by_its_id_can_signal_it(work, saga_id, dispatch):
    handle = begin(ASKED[dispatch], saga_id)
    until_it_waits(handle)
    found = amends.get(saga_id)
    with pytest.raises(ActRefused, match="it waits for no aproval, did you mean 'approval'"):
        found.signal("aproval", {})
    with pytest.raises(ValidationError):
        found.signal("approval", {"granted": "perhaps"})
    assert found.signal("approval", {"granted": True}) == "taken"
    handle.wait(timeout=60)


def test_a_waiting_saga_holds_nothing(work, saga_id, dispatch, published):
    """No message, and after a first look no sweep's."""
    handle = begin(ASKED[dispatch], saga_id)
    until_it_waits(handle)
    before = published(saga_id)
    time.sleep(1.0)
    assert published(saga_id) == before
    handle.signal("approval", Approval())
    handle.wait(timeout=60)
