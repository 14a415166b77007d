"""Rehearsing schedules: the clock is moved, and the code of a worker's sweep fires the ticks."""

from datetime import UTC, date, datetime, timedelta

import pytest
from celery.schedules import crontab

from amends import NotDone, Schedule
from amends.testing import Rehearsal, stage
from tests.unit.testing.rehearsed_sagas import Trip, TripResult, journey_saga, oslo, visa_saga
from tests.unit.testing.rehearsed_schedules import (
    DAY,
    HOUR,
    NOON,
    cities,
    hours,
    tour_saga,
    trip_of,
)


@pytest.fixture
def rehearsal():
    with Rehearsal(now=NOON.timestamp()) as opened:
        yield opened


def test_each_tick_starts_one_saga_at_its_time_and_in_order(rehearsal, use):
    schedule = use()
    rehearsal.advance(HOUR - 1)
    assert rehearsal.calls == []
    rehearsal.advance(1)
    assert cities(rehearsal) == ["01 13:00"]
    rehearsal.advance(1.5 * HOUR)
    rehearsal.advance(1.5 * HOUR)
    assert hours(rehearsal) == [1, 2, 3, 4]
    ticks = schedule.between(NOON, NOON + timedelta(hours=4))
    handles = [tour_saga.get(schedule.id_of(tick)) for tick in ticks]
    assert [each.status for each in handles] == ["completed"] * 4
    assert [call.saga_id for call in rehearsal.calls] == [each.id for each in handles]
    assert schedule.state().counts["fired"] == 4
    assert schedule.history()[-1].name == "schedule.defined"


def test_a_schedule_that_the_test_does_not_name_is_not_fired(rehearsal, use):
    use()
    Schedule("others", journey_saga, every=HOUR, input=oslo)
    rehearsal.advance(HOUR)
    assert len(rehearsal.calls) == 1


def test_schedules_take_their_turns_by_the_clock(rehearsal, use):
    use(name="a", every=2 * HOUR, input=Trip(city="a"))
    use(name="b", every=3 * HOUR, input=Trip(city="b"))
    rehearsal.advance(6 * HOUR)
    assert "".join(cities(rehearsal)) == "abaab"


def test_one_that_is_named_twice_is_fired_once(rehearsal, use):
    rehearsal.use(use())
    rehearsal.advance(HOUR)
    assert len(rehearsal.calls) == 1


def test_its_time_zone_and_the_changes_of_its_clock_hold():
    eve = datetime(2027, 3, 27, tzinfo=UTC)
    with Rehearsal(now=eve.timestamp()) as rehearsal:
        schedule = Schedule(
            "nightly",
            tour_saga,
            cron=crontab(minute=30, hour=2),
            time_zone="Europe/Berlin",
            input=trip_of,
        )
        rehearsal.use(schedule)
        rehearsal.advance(3 * DAY)
    assert cities(rehearsal) == ["27 02:30", "28 03:30", "29 02:30"]


def test_trigger_and_backfill_start_theirs_at_once(rehearsal, use):
    schedule = use()
    assert schedule.trigger().status == "completed"
    handles = schedule.backfill(NOON - timedelta(hours=2), NOON - timedelta(hours=1))
    assert [each.status for each in handles] == ["completed"] * 2
    assert hours(rehearsal) == [0, 0, 0]
    rehearsal.advance(HOUR)
    assert hours(rehearsal)[-1] == 1


def test_an_input_that_raises_is_tried_again_as_time_passes(rehearsal, use):
    fails = [True]

    def told(tick):
        if fails.pop():
            raise LookupError("no rates yet")
        return trip_of(tick)

    schedule = use(input=told)
    rehearsal.advance(HOUR)
    assert schedule.state().error == "LookupError: no rates yet"
    fails.append(False)
    rehearsal.advance(0)
    assert cities(rehearsal) == ["01 13:00"]


def test_one_whose_input_always_raises_misses_its_ticks(rehearsal, use):
    schedule = use(input=lambda tick: tick.nothing)
    rehearsal.advance(DAY)
    assert schedule.state().counts["missed"] == 23


def test_ticks_come_while_another_saga_takes_its_time(rehearsal, use):
    use()
    rehearsal.at(visa_saga, "await_visa").raises(NotDone(retry_after=2.5 * HOUR))
    assert rehearsal.run(visa_saga, oslo).status == "completed"
    assert cities(rehearsal) == ["Oslo", "01 13:00", "01 14:00", "Oslo"]


def test_a_run_ends_though_each_tick_begins_before_the_saga_of_the_last_has_ended(rehearsal, use):
    use(overlap="allow")
    rehearsal.at(tour_saga, "book_room").raises(NotDone(retry_after=1.5 * HOUR), times=2)
    rehearsal.at(visa_saga, "await_visa").raises(NotDone(retry_after=2.5 * HOUR))
    began = rehearsal.clock.now
    assert rehearsal.run(visa_saga, oslo).status == "completed"
    assert rehearsal.clock.now == began + 2.5 * HOUR


def test_many_ticks_are_no_saga_that_is_tried_for_ever(rehearsal, use, monkeypatch):
    monkeypatch.setattr(stage, "_MOST_CALLS", 3)
    use()
    rehearsal.advance(4 * HOUR)
    assert len(rehearsal.calls) == 4


def test_one_that_an_action_names_is_fired_from_then(rehearsal, use):
    rehearsal.at(journey_saga, "book_room").before(lambda _: use())
    assert isinstance(rehearsal.run(journey_saga, oslo).wait(), TripResult)
    rehearsal.advance(HOUR)
    assert cities(rehearsal)[-1] == "01 13:00"


def test_outside_of_the_rehearsal_the_error_says_how_to_open_it():
    with pytest.raises(RuntimeError, match="with Rehearsal"):
        Rehearsal().use(Schedule("tours", tour_saga, every=HOUR, input=oslo))


def test_each_rehearsal_has_schedules_of_its_own(rehearsal, use):
    use()
    with Rehearsal(now=NOON.timestamp()) as other:
        other.advance(HOUR)
        assert other.calls == []


def test_the_day_of_a_tick_is_that_of_its_zone(rehearsal, use):
    days = []
    use(
        every=None,
        cron=crontab(minute=0, hour=0),
        time_zone="Asia/Tokyo",
        input=lambda tick: days.append(tick.date()) or oslo,
    )
    rehearsal.advance(DAY)
    assert days == [date(2027, 3, 2)]
