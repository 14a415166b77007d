"""The row of a saga that waits, as a monitor keeps it."""

import json

import pytest
from celery.events.state import State

from amends.definition.states import SagaStatus
from amends.log.observers import Transition
from amends.telemetry.flower_rows import row_events

RUNNING, PENDING = SagaStatus.RUNNING, SagaStatus.PENDING


class Monitor:
    """What a monitor has of one saga."""

    def __init__(self):
        self.state = State()
        self.at = 1000

    def hear(self, *names, was=RUNNING, status=RUNNING, parent=None):
        """Let the saga make a transition with these events."""
        self.at += 1000
        texts = [
            json.dumps(
                {"at": self.at, "name": name, "record": "approval", "by": "ada", "reason": "why"}
            )
            for name in names
        ]
        head = ["order", was or "", status, "1000", " ".join(names), *([parent] if parent else [])]
        events = row_events(Transition("order-1", head, texts))
        for each in events:
            self.state.event(
                {
                    "type": each.type,
                    "hostname": "here",
                    "clock": self.at,
                    "pid": 1,
                    "local_received": self.at / 1000,
                    "utcoffset": 0,
                    **each.fields,
                }
            )
        return [each.type for each in events]

    @property
    def row(self):
        found = self.state.tasks["order-1"]
        return found.state, found.result


@pytest.fixture
def monitor():
    monitor = Monitor()
    monitor.hear("saga.started", was=None, status=PENDING)
    monitor.hear("step.started", was=PENDING)
    return monitor


def test_a_saga_that_waits_says_so_and_where(monitor):
    monitor.hear("step.waiting")
    assert monitor.row == ("WAITING", "waits at approval")


def test_its_signal_lets_the_row_go_on(monitor):
    monitor.hear("step.waiting")
    monitor.hear("step.signalled", "step.waited")
    assert monitor.row == ("STARTED", "")


def test_one_that_begins_with_a_wait_has_started(monitor):
    fresh = Monitor()
    fresh.hear("saga.started", was=None, status=PENDING)
    assert fresh.hear("step.waiting", was=PENDING)[:-1] == ["task-received", "task-started"]
    assert fresh.row[0] == "WAITING"


def test_a_signal_that_ends_no_wait_changes_nothing(monitor):
    monitor.hear("step.waiting")
    assert monitor.hear("step.signalled") == []


def test_a_wait_whose_signals_are_there_is_none(monitor):
    assert monitor.hear("step.waiting", "step.waited") == []


@pytest.mark.parametrize(
    ("names", "status", "state"),
    [
        (("step.failed", "saga.compensating"), SagaStatus.COMPENSATING, "COMPENSATING"),
        (("step.signalled", "step.waited", "saga.finished"), SagaStatus.COMPLETED, "SUCCESS"),
        (("saga.paused",), RUNNING, "PAUSED"),
    ],
)
def test_another_change_ends_it(monitor, names, status, state):
    monitor.hear("step.waiting")
    assert len(monitor.hear(*names, status=status)) == 1
    assert monitor.row[0] == state


@pytest.mark.parametrize(
    ("before", "status", "state"),
    [
        ([], PENDING, "PENDING"),
        (["step.started"], RUNNING, "STARTED"),
        (["step.waiting"], RUNNING, "WAITING"),
        (["saga.compensating"], SagaStatus.COMPENSATING, "COMPENSATING"),
        (["saga.stuck"], SagaStatus.STUCK, "FAILURE"),
        (["saga.finished"], SagaStatus.COMPLETED, "SUCCESS"),
    ],
)
def test_one_that_becomes_a_child_gets_its_parent_and_stays_in_its_state(before, status, state):
    """It is started before, and may be anywhere by then."""
    monitor = Monitor()
    monitor.hear("saga.started", was=None, status=PENDING)
    if before:
        monitor.hear(*before, was=PENDING, status=status)
    monitor.hear("saga.adopted", was=status, status=status, parent="trip-7|order")
    row = monitor.state.tasks["order-1"]
    assert (row.state, row.parent_id, row.root_id) == (state, "trip-7", "trip-7")


def test_a_childs_row_keeps_its_parent_where_an_event_tells_none():
    monitor = Monitor()
    monitor.hear("saga.adopted", was=PENDING, status=PENDING, parent="trip-7|order")
    monitor.hear("saga.paused", was=PENDING, status=PENDING)
    assert monitor.state.tasks["order-1"].parent_id == "trip-7"
