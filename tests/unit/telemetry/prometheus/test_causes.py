"""Sagas that turn back are counted by their cause: refusals of business apart from failures, and both from what was planned."""

from collections.abc import Callable

import pytest
from celery import current_app
from pydantic import BaseModel

from amends import Child, NotDone, Refused, RetryPolicy, Saga, Step, Wait, activity
from amends.telemetry.prometheus import scrape
from amends.testing import Rehearsal

ONCE = RetryPolicy(max_attempts=1)


class Visit(BaseModel):
    name: str


class Ended(BaseModel):
    outcome: str


class Answer(BaseModel):
    yes: bool


@activity(retry=ONCE)
def knock(visit: Visit) -> None:
    """Do nothing; a rehearsal says what comes of it."""


@activity(retry=ONCE)
def enter(visit: Visit) -> None:
    """Do nothing; a rehearsal says what comes of it."""


@activity(retry=ONCE)
def leave(visit: Visit, _: None) -> None:
    """Do nothing."""


visit_saga = Saga(
    "visit",
    input=Visit,
    output=Ended,
    timeout=3600.0,
    steps=[
        Step(knock, compensation=leave),
        Wait("answer", Answer, timeout=60.0),
        Step(enter, compensation=leave),
    ],
)
short_saga = Saga(
    "short_visit",
    input=Visit,
    output=Ended,
    timeout=30.0,
    steps=[Step(knock, compensation=leave), Wait("answer", Answer, timeout=60.0)],
)
guest_saga = Saga("guest", input=Visit, output=Ended, steps=[Step(knock, compensation=leave)])
host_saga = Saga(
    "host",
    input=Visit,
    output=Ended,
    steps=[
        Child(guest_saga, inputs={"name": "input.name"}),
        Step(enter, compensation=leave),
    ],
)


def refused(rehearsal: Rehearsal) -> None:
    rehearsal.at(visit_saga, "knock").raises(Refused('no, not {"refused":false}'))
    rehearsal.run(visit_saga, Visit(name="ada"))


def failed(rehearsal: Rehearsal) -> None:
    rehearsal.at(visit_saga, "knock").raises(NotDone('it said {"refused":true}'))
    rehearsal.run(visit_saga, Visit(name="ada"))


def unanswered(rehearsal: Rehearsal) -> None:
    rehearsal.run(visit_saga, Visit(name="ada"), within=0)
    rehearsal.advance(61.0)


def timed_out(rehearsal: Rehearsal) -> None:
    rehearsal.run(short_saga, Visit(name="ada"), within=0)
    rehearsal.advance(31.0)


def cancelled(rehearsal: Rehearsal) -> None:
    rehearsal.run(visit_saga, Visit(name="ada"), within=0).cancel()
    rehearsal.advance(0.0)


def child(rehearsal: Rehearsal) -> None:
    rehearsal.at(guest_saga, "knock").raises(Refused("nobody is there"))
    rehearsal.run(host_saga, Visit(name="ada"))


def parent(rehearsal: Rehearsal) -> None:
    rehearsal.at(host_saga, "enter").raises(NotDone("the door is locked"))
    rehearsal.run(host_saga, Visit(name="ada"))


RUNS: dict[Callable[[Rehearsal], None], dict[tuple[str, str], int]] = {
    refused: {("visit", "refused"): 1},
    failed: {("visit", "failed"): 1},
    unanswered: {("visit", "unanswered"): 1},
    timed_out: {("short_visit", "timed_out"): 1},
    cancelled: {("visit", "cancelled"): 1},
    child: {("guest", "refused"): 1, ("host", "child"): 1},
    parent: {("host", "failed"): 1, ("guest", "parent"): 1},
}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__)
def test_a_saga_that_turns_back_is_counted_by_its_cause(run):
    with Rehearsal() as rehearsal:
        run(rehearsal)
        shown = {
            (sample.labels["saga"], sample.labels["cause"]): sample.value
            for family in scrape(current_app)
            for sample in family.samples
            if sample.name == "amends_sagas_turned_back_total" and sample.value
        }
    assert shown == RUNS[run]
