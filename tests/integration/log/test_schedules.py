"""Schedules in the log by hand: on one Redis and on a cluster."""

import uuid

import pytest

from amends import UnknownSchedule


@pytest.fixture
def name(log):
    name = f"s-{uuid.uuid4().hex}"
    how = log.schedules.define_schedule(
        name, app="a", app_name="shop", definition='{"when":"x"}', digest="d", is_begin=True
    )
    assert how == ("kept", "shop")
    return name


def test_a_tick_is_decided_fired_and_settled(log, name):
    state = log.schedules.read_schedule(name)
    due = state.cursor + 1000
    assert log.schedules.decide_tick(state, due)
    assert log.schedules.decide_tick(state, due)
    assert not log.schedules.decide_tick(state, due + 1000)
    for _ in range(2):
        log.schedules.fire_tick(name, due, "saga-1")
    after = log.schedules.read_schedule(name)
    assert (after.cursor, after.decided, after.last, after.counts["fired"]) == (
        due,
        None,
        "saga-1",
        1,
    )


def test_ticks_are_passed_by_once(log, name):
    state = log.schedules.read_schedule(name)
    due = state.cursor + 1000
    assert log.schedules.pass_ticks(state, due, "missed", count=3)
    assert not log.schedules.pass_ticks(state, due, "missed", count=3)
    assert log.schedules.read_schedule(name).counts["missed"] == 3
    assert log.schedules.read_history(name)[-1].details == {"until": due, "count": 3}


def test_all_are_read_at_once(log, name):
    log.schedules.note_triggered(name, "schedule.triggered", count=1, last="nobody")
    found = [each for each in log.schedules.read_schedules() if each.name == name]
    assert [each.app_name for each in found] == ["shop"]
    assert log.schedules.read_running(found) == frozenset()


def test_a_pause_and_a_resume_are_the_same_twice(log, name):
    for _ in range(2):
        log.schedules.pause_schedule(name, {"by": "ada"})
    assert log.schedules.read_schedule(name).by == "ada"
    for _ in range(2):
        log.schedules.resume_schedule(name, {"by": "ada"})
    assert [event.name for event in log.schedules.read_history(name)] == [
        "schedule.defined",
        "schedule.paused",
        "schedule.resumed",
    ]


def test_one_that_is_not_there_is_told(log):
    for act in (log.schedules.pause_schedule, log.schedules.resume_schedule):
        with pytest.raises(UnknownSchedule):
            act("nobody", {})
