"""Rehearsing what a schedule does about the saga before, in a pause and after an outage."""

import pytest

from amends import NotDone
from amends.scheduling import firing
from amends.testing import Rehearsal
from tests.unit.testing.rehearsed_schedules import (
    DAY,
    HOUR,
    NOON,
    Consent,
    asked_tour_saga,
    cities,
    hours,
    paid_saga,
    tour_saga,
)


@pytest.fixture
def rehearsal():
    with Rehearsal(now=NOON.timestamp()) as opened:
        yield opened


def test_skip_passes_ticks_by_while_the_one_before_goes_on(rehearsal, use):
    rehearsal.at(tour_saga, "book_room").raises(NotDone(retry_after=2.5 * HOUR))
    schedule = use()
    rehearsal.advance(4 * HOUR)
    assert cities(rehearsal) == ["01 13:00", "01 13:00", "01 16:00"]
    assert hours(rehearsal) == [1, 3.5, 4]
    assert schedule.state().counts["skipped"] == 2


def test_queue_begins_when_the_one_before_has_ended(rehearsal, use):
    rehearsal.at(tour_saga, "book_room").raises(NotDone(retry_after=1.5 * HOUR))
    use(overlap="queue")
    rehearsal.advance(3 * HOUR)
    assert cities(rehearsal) == ["01 13:00", "01 13:00", "01 14:00", "01 15:00"]
    assert hours(rehearsal) == [1, 2.5, 2.5, 3]


def test_one_that_waits_longer_than_its_catch_up_is_missed(rehearsal, use):
    schedule = use(asked_tour_saga, overlap="queue", catch_up=1800.0)
    rehearsal.advance(2 * HOUR + 1799)
    assert schedule.state().counts["missed"] == 0
    rehearsal.advance(1)
    assert schedule.state().counts["missed"] == 1
    rehearsal.advance(2 * DAY)
    assert schedule.state().counts["missed"] == 2 * 24 + 1
    asked_tour_saga.get(schedule.state().last).signal("consent", Consent())
    rehearsal.advance(HOUR)
    assert schedule.state().counts["fired"] == 2


def test_a_signal_lets_the_tick_begin_that_waited_for_it(rehearsal, use):
    schedule = use(asked_tour_saga, overlap="queue")
    rehearsal.advance(2 * HOUR)
    asked_tour_saga.get(schedule.state().last).signal("consent", Consent())
    rehearsal.advance(0)
    assert cities(rehearsal) == ["01 13:00"]
    assert schedule.state().last == "tours-20270301T140000Z"


def test_cancel_turns_the_one_before_and_begins_after_its_undo(rehearsal, use):
    rehearsal.at(tour_saga, "book_room").raises(OSError("cut"))
    rehearsal.at(tour_saga, "book_room:undo").raises(NotDone(retry_after=600.0), times=2)
    rehearsal.at(tour_saga, "book_room").raises(NotDone(retry_after=2 * HOUR))
    schedule = use(overlap="cancel")
    rehearsal.advance(2.5 * HOUR)
    first = tour_saga.get("tours-20270301T130000Z")
    assert (first.outcome, rehearsal.undone_of(first)) == ("cancelled", ["book_room"])
    second = rehearsal.calls_of(tour_saga.get(schedule.state().last))
    assert schedule.state().last == "tours-20270301T140000Z"
    assert second[0].at == NOON.timestamp() + 2 * HOUR + 1200


def test_cancel_lets_one_end_that_is_past_its_point_of_no_return(rehearsal, use, caplog):
    rehearsal.at(paid_saga, "greet").raises(NotDone(retry_after=1.5 * HOUR))
    use(paid_saga, overlap="cancel")
    rehearsal.advance(2.5 * HOUR)
    first = paid_saga.get("tours-20270301T130000Z")
    assert (first.status, rehearsal.undone) == ("completed", [])
    assert hours(rehearsal) == [1, 1, 2.5, 2.5, 2.5]
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


def test_allow_starts_another_beside_it(rehearsal, use):
    schedule = use(asked_tour_saga, overlap="allow")
    rehearsal.advance(3 * HOUR)
    assert schedule.state().counts["fired"] == 3


def test_what_is_due_in_a_pause_is_passed_by(rehearsal, use):
    schedule = use()
    schedule.pause(by="ada")
    rehearsal.advance(5 * HOUR)
    assert rehearsal.calls == []
    schedule.resume()
    rehearsal.advance(HOUR)
    assert hours(rehearsal) == [6]


def test_an_outage_is_made_up_for_as_far_as_catch_up_goes(rehearsal, use):
    schedule = use(catch_up=2 * HOUR, overlap="allow")
    rehearsal.clock.advance(5.5 * HOUR)  # no worker sweeps
    rehearsal.advance(0)
    assert cities(rehearsal) == ["01 16:00", "01 17:00"]
    assert hours(rehearsal) == [5.5, 5.5]
    counts = schedule.state().counts
    assert (counts["late"], counts["missed"]) == (2, 3)


def test_more_ticks_than_a_sweep_settles_are_settled_at_one_time_too(rehearsal, use, monkeypatch):
    monkeypatch.setattr(firing, "_AT_ONCE", 3)
    schedule = use(asked_tour_saga, catch_up=DAY)
    rehearsal.clock.advance(8 * HOUR)
    rehearsal.advance(0)
    counts = schedule.state().counts
    assert (counts["fired"], counts["skipped"]) == (1, 7)
