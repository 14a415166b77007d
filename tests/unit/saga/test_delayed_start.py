"""What callers say of a delayed start, and how sagas that are due at one time are spread."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from amends.definition.plans import WaitPlan
from amends.definition.spread import spread_of
from amends.log.saga_log import log_of
from tests.support.app import in_process_app
from tests.support.engine_saga import Job, job_saga

AT = datetime(2100, 1, 1, 12, 0, tzinfo=UTC)
JOB = Job(job_id="1")


@pytest.fixture
def app():
    with in_process_app("later") as app:
        app.conf.task_always_eager = False
        yield app


def begins_at(app, saga_id="a-1"):
    return log_of(app).read_saga(saga_id).begins_at


def test_a_saga_begins_at_its_time_in_any_time_zone(app):
    job_saga.start(JOB, saga_id="a-1", at=AT.astimezone(timezone(timedelta(hours=5))))
    assert begins_at(app) == AT.timestamp()


@pytest.mark.parametrize("after", [-1, float("inf"), float("nan"), "3", True])
def test_what_is_no_number_of_seconds_is_refused(app, after):
    with pytest.raises(ValueError, match="not a number of seconds"):
        job_saga.start(JOB, after=after)


def test_a_time_without_a_zone_is_refused(app):
    with pytest.raises(ValueError, match="give it a time zone"):
        job_saga.start(JOB, at=AT.replace(tzinfo=None))


def test_two_times_are_refused(app):
    with pytest.raises(ValueError, match="one of them"):
        job_saga.start_many([JOB], at=AT, after=1.0)


def test_what_is_due_at_one_time_is_spread_the_same_for_the_same_saga(app):
    app.conf.amends_timer_spread = 60.0
    ids = [f"a-{n}" for n in range(200)]
    job_saga.start_many([JOB] * 200, saga_ids=ids, at=AT)
    later = [begins_at(app, each) - AT.timestamp() for each in ids]
    assert min(later) >= 0
    assert max(later) <= 60
    assert len({int(each / 6) for each in later}) == 10
    assert later == pytest.approx([spread_of(each, 60.0) for each in ids], abs=0.002)


def test_an_eager_app_knows_no_later_time(app):
    app.conf.task_always_eager = True
    assert job_saga.start(JOB, saga_id="a-2", after=3600.0).status == "completed"


def test_a_delay_is_spread_and_the_time_of_a_wait_is_not():
    assert WaitPlan(seconds=5.0).ends_at({}, path="delay", later=2.0) == "+7000"
    assert WaitPlan(seconds=5.0, count=1).ends_at({}, path="approval", later=2.0) == "+5000"


def test_a_delay_may_be_until_the_end_of_all_calendars():
    delay = WaitPlan(until="input.at")
    given = {"input": {"at": "9999-12-31T23:59:59.999999Z"}}
    ends_at = int(delay.ends_at(given, path="delay", later=60.0)) / 1000
    for hours in (-12, 14):  # in each time zone it can be shown
        assert datetime.fromtimestamp(ends_at, timezone(timedelta(hours=hours))).year >= 9998
