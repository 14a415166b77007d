"""Ticks of schedules, where a clock is put forward and back, in three zones."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab

from amends.scheduling.ticks import Cron, Interval, ticks_between

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
CHANGES = {  # the midnight before, and what the clock is put forward by
    "Europe/Berlin": [((2027, 3, 27), HOUR), ((2027, 10, 30), -HOUR)],
    "America/New_York": [((2027, 3, 13), HOUR), ((2027, 11, 6), -HOUR)],
    "Australia/Lord_Howe": [((2027, 10, 2), HOUR / 2), ((2027, 4, 3), -HOUR / 2)],
}
EACH_CHANGE = [
    pytest.param(
        ZoneInfo(zone), datetime(*day, tzinfo=ZoneInfo(zone)), forward, id=f"{zone}-{day[1]}"
    )
    for zone, changes in CHANGES.items()
    for day, forward in changes
]
EVERY_HOUR = [{}, {"minute": "*/7"}, {"minute": 15}, {"minute": 30, "day_of_week": "sun"}]
NAMED = [
    {"minute": 30, "hour": 2},
    {"minute": "*/20", "hour": "1-3"},
    {"minute": "*", "hour": "2"},
    {"minute": 0, "hour": "*/2"},
    {"minute": 10, "hour": "2", "day_of_week": "sun"},
    {"minute": "0,59", "hour": "0,1,2,23", "day_of_month": "1-31", "month_of_year": "3,4,10,11"},
]


def two_days(midnight):
    """Return the moments at which two days begin and end by the clock, in UTC, each a second early."""
    second = timedelta(seconds=1)
    return midnight.astimezone(UTC) - second, (midnight + 2 * DAY).astimezone(UTC) - second


def names(cron, wall):
    """Tell whether a crontab names a time."""
    return (
        wall.minute in cron.minute
        and wall.hour in cron.hour
        and wall.isoweekday() % 7 in cron.day_of_week
        and wall.day in cron.day_of_month
        and wall.month in cron.month_of_year
    )


def minutes(begin, end):
    """Yield each whole minute."""
    moment = begin.replace(second=0)
    while moment <= end:
        if moment > begin:
            yield moment
        moment += MINUTE


def ticks_of(cron, zone, midnight):
    return list(ticks_between(Cron(cron, zone), *two_days(midnight)))


@pytest.mark.parametrize(("zone", "midnight", "forward"), EACH_CHANGE)
@pytest.mark.parametrize("fields", EVERY_HOUR, ids=str)
def test_a_crontab_of_every_hour_goes_by_the_time_that_passes(zone, midnight, forward, fields):
    cron = crontab(**fields)
    every = minutes(*two_days(midnight))
    assert ticks_of(cron, zone, midnight) == [
        each for each in every if names(cron, each.astimezone(zone))
    ]
    if not fields:
        assert len(ticks_of(cron, zone, midnight)) == (2 * DAY - forward) // MINUTE


@pytest.mark.parametrize(("zone", "midnight", "forward"), EACH_CHANGE)
@pytest.mark.parametrize("fields", NAMED, ids=str)
def test_a_crontab_of_some_hours_names_times_each_of_which_comes_once(
    zone, midnight, forward, fields
):
    cron = crontab(**fields)
    day = midnight.replace(tzinfo=None)
    walls = (day + n * MINUTE for n in range(2 * 24 * 60))
    named = [each.replace(tzinfo=zone).astimezone(UTC) for each in walls if names(cron, each)]
    assert ticks_of(cron, zone, midnight) == sorted(set(named))


def test_a_time_that_the_clock_leaves_out_comes_as_long_after_the_gap_begins():
    zone = ZoneInfo("Europe/Berlin")
    ticks = ticks_of(crontab(minute=30, hour=2), zone, datetime(2027, 3, 27, tzinfo=zone))
    assert [f"{each.astimezone(zone):%d %H:%M %z}" for each in ticks] == [
        "27 02:30 +0100",
        "28 03:30 +0200",
    ]


def test_a_time_that_the_clock_repeats_comes_the_first_time():
    zone = ZoneInfo("Europe/Berlin")
    ticks = ticks_of(crontab(minute=30, hour=2), zone, datetime(2027, 10, 30, tzinfo=zone))
    assert [f"{each.astimezone(zone):%d %H:%M %z}" for each in ticks] == [
        "30 02:30 +0200",
        "31 02:30 +0200",
    ]


def test_a_crontab_that_is_due_seldom_crosses_changes():
    cron = Cron(
        crontab(minute=0, hour=12, day_of_month=1, month_of_year="*/6"), ZoneInfo("Europe/Berlin")
    )
    ticks = ticks_between(cron, datetime(2027, 1, 2, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
    assert [f"{each:%Y-%m-%d %H}" for each in islice(ticks, 3)] == [
        "2027-07-01 10",
        "2028-01-01 11",
        "2028-07-01 10",
    ]


def test_an_interval_is_counted_from_1970_by_every_worker():
    ticks = Interval(90)
    at = datetime(2027, 1, 1, 0, 0, 40, tzinfo=UTC)
    first = ticks.after(at)
    assert first.timestamp() % 90 == 0
    assert first == ticks.after(at + timedelta(seconds=1)) > at
    assert list(ticks_between(ticks, at, first + timedelta(seconds=180))) == [
        first + timedelta(seconds=90 * n) for n in range(3)
    ]
    assert ticks.after(first) == first + timedelta(seconds=90)
