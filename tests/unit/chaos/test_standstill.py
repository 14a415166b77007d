"""How long a saga stood still although it could have moved."""

import pytest

from amends.log.history import Event
from tests.chaos.standstill import Sample, Samples

WORKS = {"log": True, "broker": True, "workers": ("orders-1",), "queued": {}}


def event(at, name="step.completed", record="pay", **details):
    return Event(name=name, at=at, record=record, details=details)


def sampled(*changes, seconds=1.0, begin=100.0):
    """Give a sample each second: what is different from a system that works."""
    samples = [
        Sample(at=begin + number * seconds, **{**WORKS, **change})
        for number, change in enumerate(changes)
    ]
    return Samples(
        samples=samples,
        queue_of={"pay": "payments", "ship": "shipping"},
        advance="undos",
        settles={"pay:verify": 6.0},
    )


def standstill(samples, *history):
    found = list(samples.standstills("s", history))
    assert len(found) == len(history) - 1
    return found[-1]


def test_the_gap_between_two_events_is_a_standstill():
    found = standstill(sampled(*[{}] * 20), event(102.0), event(110.0, record="ship"))
    assert (found.seconds, found.gap) == (8.0, 8.0)
    assert "between step.completed (pay) and step.completed (ship)" in str(found)


def test_a_planned_wait_is_none():
    retrying = event(102.0, "step.retrying", wait=5000)
    found = standstill(sampled(*[{}] * 20), retrying, event(110.0))
    assert (found.seconds, found.gap) == (3.0, 8.0)


def test_a_planned_wait_that_was_cut_short_is_none():
    retrying = event(102.0, "step.retrying", wait=60_000)
    assert standstill(sampled(*[{}] * 20), retrying, event(110.0)).seconds == 0.0


def test_a_wait_is_none_up_to_its_time():
    waiting = event(102.0, "step.waiting", "delay", until=107_000)
    assert standstill(sampled(*[{}] * 20), waiting, event(110.0)).seconds == 3.0
    assert (
        standstill(sampled(*[{}] * 20), event(102.0, "step.waiting"), event(110.0)).seconds == 8.0
    )


def test_the_time_in_which_a_child_moves_is_none():
    waiting, ended = event(102.0, "step.waiting", "child"), event(110.0, "step.waited", "child")
    for moved, seconds in (((101.0, 104.0, 106.0), 4.0), ((101.0,), 8.0), ((111.0,), 8.0)):
        found = list(sampled(*[{}] * 20).standstills("s", [waiting, ended], moved=moved))
        assert found[-1].seconds == seconds


def test_the_time_before_a_first_question_is_none():
    verifying = event(110.0, "step.verifying", "pay:verify")
    assert standstill(sampled(*[{}] * 20), event(102.0, "step.lost"), verifying).seconds == 2.0
    again = event(118.0, "step.verifying", "pay:verify")
    assert standstill(sampled(*[{}] * 20), verifying, again).seconds == 8.0


def test_an_item_waits_in_the_queue_of_its_step():
    samples = sampled(*[{"queued": {"shipping": 1}}] * 20)
    shipped = event(110.0, "step.started", "ship[3]")
    assert standstill(samples, event(102.0), shipped).seconds == 0.0


@pytest.mark.parametrize(
    "away",
    [
        {"log": False},
        {"broker": False},
        {"workers": ()},
        {"queued": {"shipping": 1}},
        {"queued": {"undos": 3}},
    ],
)
def test_the_time_in_which_nothing_could_move_is_none(away):
    samples = sampled({}, {}, {}, away, away, *[{}] * 15)
    # From the sample before the first bad one to the one after the last: 102 to 105.
    assert standstill(samples, event(100.0), event(110.0, record="ship")).seconds == 7.0


def test_another_steps_queue_is_no_excuse():
    samples = sampled(*[{"queued": {"payments": 9}}] * 20)
    assert standstill(samples, event(100.0), event(110.0, record="ship")).seconds == 10.0


def test_an_excuse_counts_only_within_the_gap_and_outside_of_the_planned_wait():
    samples = sampled({"log": False}, {"log": False}, *[{}] * 20)
    retrying = event(101.5, "step.retrying", wait=0)
    assert standstill(samples, retrying, event(110.0)).seconds == 8.0
    waiting = event(100.0, "step.retrying", wait=1500)
    assert standstill(samples, waiting, event(110.0)).seconds == 8.0


def test_a_time_without_samples_has_no_excuse():
    assert standstill(sampled(), event(100.0), event(110.0)).seconds == 10.0
    assert standstill(sampled({"log": False}), event(200.0), event(210.0)).seconds == 10.0
