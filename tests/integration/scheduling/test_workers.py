"""Schedules on a real Redis: workers that fire the same ticks at once."""

import threading
from datetime import UTC, datetime

import pytest

from amends import Schedule
from amends.scheduling.firing import Firing
from tests.support.engine_saga import Job, job_saga
from tests.support.eventually import eventually


def has_fired(log, name, times):
    return any(
        each.name == name and each.counts["fired"] >= times
        for each in log.schedules.read_schedules()
    )


def test_five_workers_that_fire_the_same_ticks_start_one_saga_each(app, log):
    schedule = Schedule(
        "secondly", job_saga, every=1, input=lambda tick: Job(job_id=f"{tick:%S}"), overlap="allow"
    )
    ends, errors = threading.Event(), []

    def work():
        firing = Firing(app)
        try:
            while not ends.is_set():
                firing.run_once()
        except BaseException as error:  # noqa: BLE001 - the test raises it
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for each in threads:
        each.start()
    eventually(lambda: errors or has_fired(log, "secondly", 4))
    ends.set()
    for each in threads:
        each.join()
    assert errors == []
    Firing(app).run_once()
    state = schedule.state()
    ticks = list(schedule.between(_moment(state.since), _moment(state.cursor / 1000)))
    started = [log.read_saga(schedule.id_of(tick)) for tick in ticks]
    assert len(started) == state.counts["fired"] == len(ticks)
    assert state.counts["missed"] == state.counts["skipped"] == 0
    for each in started:
        assert [e.name for e in log.read_history(each.id)].count("saga.started") == 1


def _moment(seconds):
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.usefixtures("swept")
def test_a_workers_sweep_fires_them(work, log):
    schedule = Schedule("ticking", job_saga, every=1, input=lambda tick: Job(job_id=f"{tick:%S}"))
    eventually(lambda: has_fired(log, "ticking", 2))
    state = schedule.state()
    assert state.last is not None
    assert job_saga.get(state.last).wait(timeout=60).outcome == "completed"
