"""Schedules under ``task_always_eager``: none fires by itself, and a tick's saga runs in the process that starts it."""

from datetime import UTC, datetime

import pytest

from amends import Schedule
from amends.errors import UnknownSchedule
from amends.scheduling import definition
from amends.scheduling.firing import Firing
from tests.support.app import in_process_app
from tests.support.engine_saga import Job, job_saga

TICK = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)


@pytest.fixture
def app():
    with in_process_app("eager") as app:
        app.conf.task_always_eager = True
        yield app


@pytest.fixture
def schedule(monkeypatch):
    monkeypatch.setattr(definition, "KNOWN", {})
    return Schedule("hourly", job_saga, every=3600, input=Job(job_id="1"))


def test_the_saga_of_a_tick_runs_to_its_end_where_it_is_started(app, schedule):
    handle = schedule.start(TICK)
    assert (handle.id, handle.status) == ("hourly-20270131T120000Z", "completed")


def test_a_tick_to_come_begins_at_once_too(app, schedule):
    assert schedule.start(datetime(2100, 1, 1, tzinfo=UTC)).status == "completed"


def test_no_schedule_is_in_the_log_without_a_worker(app, schedule):
    with pytest.raises(UnknownSchedule):
        schedule.trigger()


def test_what_an_operator_starts_of_one_that_a_worker_wrote_runs_there_too(app, schedule):
    Firing(app).run_once()
    assert schedule.trigger().status == "completed"
    (handle,) = schedule.backfill(TICK, TICK)
    assert handle.status == "completed"
