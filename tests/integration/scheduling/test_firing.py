"""Ticks that are fired, passed by and made up for, and sweeps that end in the middle."""

from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab

from amends import Schedule
from amends.definition.states import SagaStatus
from amends.saga.handle import get
from tests.integration.scheduling.conftest import Killed
from tests.support.engine_saga import Job, inline_saga, job_saga

MINUTE = timedelta(minutes=1)
CHANGES = [
    ("Europe/Berlin", (2027, 3, 27), 47),
    ("Europe/Berlin", (2027, 10, 30), 49),
    ("America/New_York", (2027, 3, 13), 47),
    ("America/New_York", (2027, 11, 6), 49),
    ("Australia/Lord_Howe", (2027, 10, 2), 47.5),
    ("Australia/Lord_Howe", (2027, 4, 3), 48.5),
]


def job_of(tick):
    return Job(job_id=f"{tick:%Y-%m-%d}")


def minutely(name="minutely", **how):
    return Schedule(name, job_saga, **{"every": 60, "input": job_of, "overlap": "allow", **how})


def ids_of(name, first, many):
    """Return the ids of so many ticks, a minute apart."""
    return [f"{name}-{first + n * MINUTE:%Y%m%dT%H%M%SZ}" for n in range(many)]


NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


def test_a_tick_starts_a_saga_that_is_called_by_its_time(yard):
    schedule = minutely(cron=crontab(), every=None, time_zone="Europe/Berlin")
    yard.sweep()
    assert yard.ids() == []
    yard.sweep(58)
    assert yard.ids() == []
    yard.sweep(5)
    assert yard.ids() == ["minutely-20270301T120100Z"]
    state = schedule.state()
    assert (state.last, state.counts["fired"], state.counts["late"]) == (
        "minutely-20270301T120100Z",
        1,
        0,
    )
    assert state.last_due == (NOON + MINUTE).timestamp()


def test_its_input_is_told_by_the_ticks_time_in_the_schedules_zone(yard):
    Schedule(
        "nightly",
        job_saga,
        cron=crontab(minute=0, hour=0),
        time_zone="Asia/Tokyo",
        input=job_of,
    )
    yard.sweep()
    yard.sweep(3 * 3600)  # 15:00 in UTC is midnight in Tokyo
    (saga_id,) = yard.ids()
    assert saga_id == "nightly-20270301T150000Z"
    assert yard.log.read_saga(saga_id).input["job_id"] == "2027-03-02"


def test_an_outage_of_an_hour_is_made_up_for_by_half_of_it(yard):
    schedule = minutely(catch_up=1800.0)
    yard.sweep()
    yard.sweep(3600)
    assert yard.ids() == ids_of("minutely", NOON + 31 * MINUTE, 30)
    state = schedule.state()
    assert (state.counts["fired"], state.counts["missed"]) == (30, 30)
    assert state.counts["late"] == 29
    missed = [event for event in schedule.history() if event.name == "tick.missed"]
    assert [event.details["count"] for event in missed] == [30]


def test_each_tick_that_was_missed_is_counted_however_many(yard):
    schedule = minutely(every=1, catch_up=60.0)
    yard.sweep()
    yard.sweep(7200)
    yard.sweep()
    state = schedule.state()
    assert (state.counts["missed"], state.counts["fired"]) == (7140, 60)


def test_it_is_made_up_for_oldest_first(yard):
    minutely(overlap="queue", catch_up=1800.0)
    yard.sweep()
    yard.sweep(600)
    started = []
    while yard.ids():
        (saga_id,) = yard.ids()
        started.append(saga_id)
        yard.end(saga_id)
        yard.sweep()
    assert started == ids_of("minutely", NOON + MINUTE, 10)


def test_skip_passes_ticks_by_until_the_saga_has_ended(yard):
    schedule = minutely(overlap="skip")
    yard.sweep()
    yard.sweep(60)
    yard.sweep(120)
    (first,) = yard.ids()
    assert schedule.state().counts["skipped"] == 2
    yard.end(first)
    yard.sweep(60)
    assert yard.ids() == ids_of("minutely", NOON + 4 * MINUTE, 1)


def test_a_saga_that_is_stuck_has_not_ended(yard):
    schedule = minutely(overlap="skip")
    yard.sweep()
    yard.sweep(60)
    (first,) = yard.ids()
    yard.log.note_unregistered(first, "a", task="x", most=1)
    assert get(first).status == "stuck"
    yard.sweep(60)
    assert schedule.state().counts["skipped"] == 1


def test_a_saga_that_was_removed_has_ended(yard):
    minutely(overlap="skip")
    yard.sweep()
    yard.sweep(60)
    (first,) = yard.ids()
    yard.end(first)
    yard.log.maintenance.remove_sagas([first], kept_for=-1.0)
    yard.sweep(60)
    assert yard.ids() == ids_of("minutely", NOON + 2 * MINUTE, 1)


def test_cancel_turns_the_one_before_and_begins_when_that_has_ended(yard):
    schedule = minutely(overlap="cancel")
    yard.sweep()
    yard.sweep(60)
    (first,) = yard.ids()
    yard.log.claim_step(first, "a", token="t", owner="o", retries=0)
    yard.sweep(60)
    assert get(first).status == "compensating"
    assert yard.ids() == []
    yard.log.fail_step(
        first, "a", token="t", error="{}", unknown=False, refused=False, outcome="", link=""
    )
    yard.sweep()
    assert yard.ids() == ids_of("minutely", NOON + 2 * MINUTE, 1)
    assert schedule.state().counts["fired"] == 2


def test_what_is_due_in_a_pause_is_passed_by(yard):
    schedule = minutely()
    yard.sweep()
    schedule.pause(by="ada", why="audit")
    yard.sweep(600)
    assert yard.ids() == []
    assert (schedule.state().by, schedule.state().why) == ("ada", "audit")
    schedule.resume(by="ada")
    yard.sweep(60)
    assert yard.ids() == ids_of("minutely", NOON + 11 * MINUTE, 1)
    assert [event.name for event in schedule.history()] == [
        "schedule.defined",
        "schedule.paused",
        "schedule.resumed",
    ]


def test_a_tick_that_was_decided_before_a_pause_is_started_and_none_of_it(yard):
    schedule = minutely()
    yard.sweep()
    with yard.killed_at(lambda point: point == "after decide_tick"), pytest.raises(Killed):
        yard.sweep(60)
    schedule.pause()
    yard.clock.advance(600)
    schedule.resume()
    yard.sweep(60)
    assert yard.ids() == [
        *ids_of("minutely", NOON + MINUTE, 1),
        *ids_of("minutely", NOON + 12 * MINUTE, 1),
    ]


@pytest.mark.parametrize(
    "point",
    [
        f"{when} {name}"
        for when in ("before", "after")
        for name in ("decide_tick", "start", "fire_tick")
    ],
)
def test_a_worker_that_dies_neither_loses_a_tick_nor_doubles_it(yard, point):
    schedule = minutely()
    yard.sweep()
    with yard.killed_at(lambda each: each == point), pytest.raises(Killed):
        yard.sweep(60)
    yard.firing = yard.worker()
    yard.sweep()
    assert yard.ids() == ids_of("minutely", NOON + MINUTE, 1)
    assert schedule.state().counts["fired"] == 1


def test_a_tick_is_not_decided_by_what_another_worker_has_settled(yard):
    schedule = minutely(overlap="skip")
    yard.sweep()
    yard.clock.advance(60)
    read = schedule.state()
    yard.sweep()
    (first,) = yard.ids()
    yard.clock.advance(60)
    yard.sweep()  # it is skipped
    yard.end(first)
    due = read.cursor // 60_000 * 60_000 + 120_000
    assert not yard.log.schedules.decide_tick(read, due)
    assert not yard.log.schedules.pass_ticks(read, due, "skipped", count=1)
    assert yard.ids() == []


def test_a_decided_tick_is_not_given_up_by_who_has_not_seen_it(yard):
    schedule = minutely()
    yard.sweep()
    yard.clock.advance(60)
    before = schedule.state()
    with yard.killed_at(lambda point: point == "before start"), pytest.raises(Killed):
        yard.sweep()
    assert not yard.log.schedules.pass_ticks(before, before.cursor + 1, "missed", count=1)
    yard.sweep()
    assert len(yard.ids()) == 1


def test_an_input_that_cannot_be_told_is_tried_again_until_its_time_is_over(yard, warnings):
    fails = [True]

    def told(tick):
        if fails[0]:
            raise LookupError("no rates yet")
        return job_of(tick)

    schedule = minutely(input=told, catch_up=300.0)
    yard.sweep()
    yard.sweep(60)
    yard.sweep(1)
    state = schedule.state()
    assert (state.error, state.counts["failed"]) == ("LookupError: no rates yet", 1)
    told = {line for line in warnings.messages if "could not be started" in line}
    assert len(told) == 1
    yard.sweep(301)
    state = schedule.state()
    assert state.counts["missed"] == 1
    fails[0] = False
    yard.sweep()
    assert yard.ids() == ids_of("minutely", NOON + 2 * MINUTE, 5)
    assert schedule.state().error is None


def test_a_tick_whose_saga_is_another_one_stands_in_nobodys_way_once_its_time_is_over(yard):
    minutely(catch_up=60.0)
    yard.sweep()
    inline_saga.start(Job(job_id="a"), saga_id=ids_of("minutely", NOON + MINUTE, 1)[0])
    yard.sweep(60)
    assert yard.log.schedules.read_schedule("minutely").error.startswith("SagaAlreadyStarted")
    yard.sweep(60)
    yard.sweep(60)
    assert yard.ids() == ids_of("minutely", NOON + MINUTE, 3)


def test_an_input_that_differs_from_worker_to_worker_is_the_first_ones(yard):
    numbers = count()
    minutely(input=lambda tick: Job(job_id=str(next(numbers))))
    yard.sweep()
    with yard.killed_at(lambda point: point == "after start"), pytest.raises(Killed):
        yard.sweep(60)
    yard.sweep()
    (saga_id,) = yard.ids()
    assert yard.log.read_saga(saga_id).input["job_id"] == "0"


def test_one_schedule_that_fails_stops_no_other(yard, warnings):
    minutely("a-broken", input=lambda tick: None)
    minutely("b-sound")
    yard.sweep()
    yard.sweep(60)
    assert yard.ids() == ids_of("b-sound", NOON + MINUTE, 1)


@pytest.mark.long
@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_two_days_of_a_tick_each_minute_over_a_change_of_the_clock(yard, dice, zone, day, hours):
    midnight = datetime(*day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert play(yard, dice, zone, midnight, hours) > 100


@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, day, _ in CHANGES])
def test_a_tick_each_minute_comes_once_through_the_hours_of_a_change(yard, dice, zone, day):
    eve = datetime(*day, 22, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert play(yard, dice, zone, eve, 7) > 5


def play(yard, dice, zone, midnight, hours):
    """Play so many hours of a schedule each minute, with sweeps killed at random; return how many were."""
    yard.clock.reach(midnight.timestamp() - 1)
    schedule = minutely(cron=crontab(), every=None, time_zone=zone)
    yard.sweep()
    end, kills = midnight.timestamp() + hours * 3600 - 1, 0
    with yard.killed_at(lambda point: dice.random() < 0.05):
        while yard.clock.now < end:
            try:
                yard.sweep()
                yard.clock.reach(min(end, yard.clock.now + dice.uniform(5, 1200)))
            except Killed:
                kills += 1
                yard.firing = yard.worker()  # another one, at once
    yard.sweep()
    assert yard.ids() == ids_of("minutely", midnight, int(hours * 60))
    assert schedule.state().counts["fired"] == hours * 60
    assert schedule.state().counts["missed"] == 0
    return kills


def test_the_spread_of_timers_delays_a_ticks_saga(yard):
    yard.app.conf.amends_timer_spread = 600.0
    minutely()
    yard.firing = yard.worker()
    yard.sweep()
    yard.sweep(60)
    (saga_id,) = yard.ids()
    begins_at = get(saga_id).snapshot().begins_at
    assert NOON.timestamp() + 60 < begins_at < NOON.timestamp() + 660


def test_nothing_is_started_under_another_status(yard):
    minutely()
    yard.sweep()
    yard.sweep(60)
    assert yard.ids(SagaStatus.RUNNING) == []
