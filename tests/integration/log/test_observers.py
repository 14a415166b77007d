"""What the log tells of its transitions: the events that each wrote, once."""

import itertools

import pytest
from celery import Celery

from amends.log.history import Event
from amends.log.observers import Memory, Transition, keep_in, tell_observers
from amends.log.saga_log import SagaLog
from tests.support.log_driver import Journey


@pytest.fixture
def told():
    return []


@pytest.fixture
def log(client, told):
    return SagaLog(client, tell=lambda *what: told.append(what))


def test_the_events_of_a_history_are_told_in_order_and_once(journey, told):
    journey.do("check_traveller")
    journey.claim("travel")
    journey.claim("travel")
    journey.retry("travel")
    journey.claim("travel", retries=1)
    journey.fail("travel", unknown=True)
    texts = [text for _, _, events in told for text in events]
    assert {(saga_id, head[0]) for saga_id, head, _ in told} == {(journey.id, "trip")}
    assert [Event.from_json(text) for text in texts] == journey.log.read_history(journey.id)


def test_what_one_transition_wrote_is_told_together(journey, told):
    journey.lose("check_traveller")
    names = [Event.from_json(text).name for text in told[-1][2]]
    assert names == ["step.failed", "saga.compensating", "saga.finished"]


def test_the_names_of_the_events_come_beside_them(journey, told):
    journey.lose("check_traveller")
    for saga_id, head, events in told:
        names = [Event.from_json(text).name for text in events]
        assert Transition(saga_id, head, events).names == names


def test_a_transition_that_wrote_nothing_is_not_told(journey, told):
    del told[:]
    journey.remaining()
    journey.claim("hotel")
    assert told == []


def test_a_saga_that_is_not_there_is_not_told(log, told):
    log.dispatch_saga("nobody", longest_wait=1.0)
    assert told == []


@pytest.mark.usefixtures("journey")
def test_a_memory_that_fails_stops_nothing(told):
    def write(*_):
        raise OSError("the disk is full")

    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    keep_in(Memory(app, write, itertools.count()))
    try:
        tell_observers(app, *told[-1])
    finally:
        keep_in(None)


def test_many_starts_are_told_each_with_its_id(log, client, told):
    journeys = [Journey(log, client) for _ in range(3)]
    assert [saga_id for saga_id, _, _ in told] == [journey.id for journey in journeys]


def test_one_that_fails_among_many_does_not_hide_the_others(journey, told):
    other = Journey(journey.log, journey.client)
    for each in (journey, other):
        each.client.hset(each.saga_key, "deadline", 1)
    journey.client.hset(journey.saga_key, "definition", "another")
    del told[:]
    answers = journey.log.maintenance.look_at_sagas([journey.id, other.id], longest_wait=1.0)
    assert isinstance(answers[0], Exception)
    assert [saga_id for saga_id, _, _ in told] == [other.id]
