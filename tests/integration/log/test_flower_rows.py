"""The row of a saga as Celery's own monitor state keeps it, drawn from what the log's transitions tell."""

import re

import pytest
from celery.events import Event
from celery.events.state import State

from amends.log.observers import Transition
from amends.log.saga_log import SagaLog
from amends.telemetry.flower_rows import row_events
from tests.support.log_driver import ERROR, Journey

STEPS = ("check_traveller", "travel", "postcard", "hotel")
BY_ADA = {"by": "ada", "why": "the bank is back"}


class Monitor:
    """Keeps rows as Flower does, and reads each event as exporters do."""

    def __init__(self):
        self.state = State()
        self.told = []

    def hear(self, saga_id, head, events):
        row = row_events(Transition(saga_id, head, events))
        self.told.append([event.type for event in row])
        for clock, (type_, fields) in enumerate(row, len(self.told) * 10):
            heard = {"hostname": "orders@here", "clock": clock, "local_received": 1.0, **fields}
            self.state.event(Event(type_, **heard))
            read_as_exporters_do(self.state.tasks[saga_id], type_)

    def row(self, saga_id):
        return self.state.tasks.get(saga_id)


def read_as_exporters_do(task, type_):
    """Read what the exporter of danihodovic, which is the usual one, reads of each kind of event."""
    assert (task.name, task.hostname) == ("saga.trip", "orders@here")
    assert task.args == "()"
    assert task.kwargs == f"{{'saga_id': '{task.uuid}'}}"
    assert (task.root_id, task.parent_id) == (task.uuid, None)
    if type_ == "task-started":
        assert task.started - task.received >= 0
    if type_ == "task-succeeded":
        assert task.runtime >= 0
    if type_ == "task-failed":
        assert re.match(r"^(\w+)\(", task.exception).group(1) == "SagaStuck"
        assert task.traceback


@pytest.fixture
def monitor():
    return Monitor()


@pytest.fixture
def log(client, monitor):
    return SagaLog(client, tell=monitor.hear)


@pytest.fixture
def state_of(journey, monitor):
    return lambda: monitor.row(journey.id).state


def stand_stuck(journey):
    journey.do(*STEPS[:3])
    journey.claim("hotel")
    journey.fail("hotel", refused=True)
    journey.claim("travel:undo")
    journey.fail("travel:undo")
    assert journey.status == "stuck"


def test_a_saga_that_completes_is_sent_started_and_succeeds(journey, monitor, state_of):
    assert state_of() == "PENDING"
    journey.claim(STEPS[0])
    assert state_of() == "STARTED"
    journey.complete(STEPS[0])
    journey.do(*STEPS[1:])
    assert (state_of(), monitor.row(journey.id).result) == ("SUCCESS", "completed")
    assert [types for types in monitor.told if types] == [
        ["task-sent"],
        ["task-received", "task-started"],
        ["task-succeeded"],
    ]


def test_a_saga_that_turns_back_compensates_and_is_compensated_not_failed(
    journey, monitor, state_of
):
    journey.do(*STEPS[:3])
    journey.claim("hotel")
    journey.fail("hotel", refused=True)
    assert (state_of(), monitor.row(journey.id).result) == ("COMPENSATING", "lost")
    journey.do("travel:undo")
    assert (state_of(), monitor.row(journey.id).result) == ("COMPENSATED", "lost")
    assert monitor.row(journey.id).failed is None


def test_a_stuck_saga_failed_and_says_why(journey, monitor, state_of):
    stand_stuck(journey)
    row = monitor.row(journey.id)
    assert state_of() == "FAILURE"
    assert row.exception == "SagaStuck('travel:undo failed for good')"
    assert "travel:undo: Problem" in row.traceback.splitlines()
    assert f"saga history {journey.id}" in row.traceback


def test_a_stuck_saga_that_is_retried_leaves_its_failure(journey, monitor, state_of):
    stand_stuck(journey)
    journey.log.control.retry_saga(journey.id, actor=BY_ADA)
    assert state_of() == "COMPENSATING"
    assert monitor.row(journey.id).exception == "Retry('saga.retried by ada: the bank is back')"
    journey.claim("travel:undo", retries=1)
    journey.complete("travel:undo")
    assert state_of() == "COMPENSATED"


def test_a_stuck_saga_whose_undo_is_skipped_leaves_its_failure_for_its_end(journey, state_of):
    stand_stuck(journey)
    journey.log.control.skip_step(journey.id, "travel", output="", actor=BY_ADA)
    assert state_of() == "COMPENSATED"


def test_a_parked_saga_that_is_retried_is_started_again(journey, state_of):
    journey.do("check_traveller")
    journey.log.note_unregistered(journey.id, "travel", task="trips.travel", most=1)
    assert state_of() == "FAILURE"
    journey.log.control.retry_saga(journey.id, actor={})
    assert state_of() == "STARTED"


@pytest.mark.parametrize(
    ("done", "turned", "state"),
    [([], False, "PENDING"), (STEPS[:2], False, "STARTED"), (STEPS[:2], True, "COMPENSATING")],
)
def test_a_paused_saga_says_so_until_it_is_resumed(journey, state_of, done, turned, state):
    journey.do(*done)
    if turned:
        journey.log.control.cancel_saga(journey.id, error=ERROR, actor={})
    journey.log.control.pause_saga(journey.id, actor={})
    assert state_of() == "PAUSED"
    journey.log.control.resume_saga(journey.id, actor={})
    assert state_of() == state


def test_a_stuck_saga_that_is_paused_and_resumed_stays_failed(journey, state_of):
    stand_stuck(journey)
    journey.log.control.pause_saga(journey.id, actor={})
    assert state_of() == "FAILURE"
    journey.log.control.resume_saga(journey.id, actor={})
    assert state_of() == "FAILURE"


def test_a_saga_that_is_cancelled_before_its_first_step_is_compensated(journey, monitor, state_of):
    journey.log.control.cancel_saga(journey.id, error=ERROR, actor={})
    assert (state_of(), monitor.row(journey.id).result) == ("COMPENSATED", "cancelled")


def test_what_does_not_move_the_saga_tells_monitors_nothing(journey, monitor):
    journey.do("check_traveller")
    del monitor.told[:]
    journey.claim("travel")
    journey.retry("travel")
    journey.claim("travel", retries=1)
    journey.complete("travel")
    assert monitor.told == [[]] * 4


def test_a_monitor_that_starts_late_has_the_row_from_any_one_event(log, client):
    for types in _all_that_is_told(log, client):
        for type_, fields in types:
            late = State()
            late.event(Event(type_, hostname="orders@here", clock=1, local_received=1.0, **fields))
            task = late.tasks[fields["uuid"]]
            read_as_exporters_do(task, type_)
            assert task.received == fields["received"]


def _all_that_is_told(log, client):
    told = []
    log._store._tell = lambda *what: told.append(row_events(Transition(*what)))
    completed, stuck = Journey(log, client), Journey(log, client)
    completed.log.control.pause_saga(completed.id, actor={})
    completed.log.control.resume_saga(completed.id, actor={})
    completed.do(*STEPS)
    stand_stuck(stuck)
    stuck.log.control.skip_step(stuck.id, "travel", output="", actor={})
    assert len({event.type for row in told for event in row}) == 9
    return told
