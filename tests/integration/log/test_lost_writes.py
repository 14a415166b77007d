"""What the log acknowledged and has lost is found, kept and named."""

from functools import partial

import pytest

from amends.log.history import NAMES
from amends.log.queries.lost_writes import Acknowledged, LostWrite
from amends.log.saga_log import SagaLog
from amends.log.store import redis_now
from tests.support.log_view import view_of

WEEK = 7 * 86_400.0


@pytest.fixture
def told():
    return []


@pytest.fixture
def log(client, told):
    return SagaLog(
        client, tell=lambda saga_id, _, events: told.append(Acknowledged(saga_id, events[0]))
    )


@pytest.fixture
def lost_key(log, client):
    """Give the key of what is lost, which is empty before and after."""
    key = view_of(log).lost_key
    client.delete(key)
    yield key
    client.delete(key)


def set_back(journey, copy):
    """Let a saga be as it was when it was copied: what a replica has that was so far behind."""
    for key in (journey.saga_key, view_of(journey.log).history_key(journey.id)):
        journey.client.delete(key)
        if key in copy:
            journey.client.restore(key, 0, copy[key])


def copy_of(journey):
    dump = partial(journey.client.execute_command, "DUMP", NEVER_DECODE=True)
    keys = journey.saga_key, view_of(journey.log).history_key(journey.id)
    return {key: dump(key) for key in keys}


def events_of(log, told, **how):
    return [
        (each.name, each.record) for each in log.lost_writes.find(told, **{"kept_for": WEEK, **how})
    ]


def test_what_the_log_has_is_not_lost(log, journey, told):
    journey.do("check_traveller", "travel")
    assert len(told) == 5
    assert events_of(log, told) == []


def test_each_transition_since_the_replica_was_behind_is_named(log, journey, told):
    journey.do("check_traveller")
    copy = copy_of(journey)
    journey.do("travel")
    set_back(journey, copy)
    assert events_of(log, told) == [("step.started", "travel"), ("step.completed", "travel")]


def test_a_saga_that_is_done_again_hides_nothing(log, journey, told):
    journey.do("check_traveller")
    copy = copy_of(journey)
    journey.do("travel")
    set_back(journey, copy)
    journey.do("travel", "postcard")
    assert events_of(log, told) == [("step.started", "travel"), ("step.completed", "travel")]


def test_a_start_is_lost_with_its_saga(log, journey, told):
    set_back(journey, {})
    assert events_of(log, told) == [("saga.started", None)]
    assert events_of(log, told, kept_for=-60.0) == []  # it was removed, once it had ended


def test_an_event_that_was_folded_into_a_later_one_is_not_lost(log, journey, told):
    for tries in range(200):
        journey.claim("check_traveller", retries=tries)
        journey.retry("check_traveller", cost="nothing")
    assert any(event.count > 1 for event in log.read_history(journey.id))
    assert events_of(log, told) == []


def test_what_nothing_repeats_is_to_be_checked():
    repeated = [
        name
        for name in NAMES
        if not LostWrite(saga_id="a", name=name, record=None, at=1.0).needs_check
    ]
    assert not [name for name in repeated if "compensat" in name or name.startswith("saga.c")]
    assert {"step.started", "step.completed"} < set(repeated)
    assert "saga.started" not in repeated


@pytest.mark.usefixtures("lost_key")
def test_what_is_kept_stays_once(log):
    lost = [LostWrite(saga_id=f"s{k}", name="saga.started", record=None, at=k) for k in range(3)]
    log.lost_writes.note(lost[1:])
    log.lost_writes.note(lost)
    log.lost_writes.note([])
    assert log.lost_writes.read(kept_for=WEEK) == lost


@pytest.mark.usefixtures("lost_key")
def test_a_message_of_a_saga_that_is_not_there_tells_of_a_lost_start(log, journey):
    set_back(journey, {})
    assert journey.claim("check_traveller").reason == "there is no such saga"
    (lost,) = log.lost_writes.read(kept_for=WEEK)
    assert (lost.saga_id, lost.name) == (journey.id, "saga.started")
    assert log.lost_writes.read(kept_for=WEEK, started=[journey.id]) == [lost]


@pytest.mark.usefixtures("lost_key")
def test_a_list_of_starts_is_compared_and_not_kept(log, journey):
    (lost,) = log.lost_writes.read(kept_for=WEEK, started=[journey.id, "never-was"])
    assert (lost.saga_id, lost.name, lost.needs_check) == ("never-was", "saga.started", True)
    assert log.lost_writes.read(kept_for=WEEK) == []


@pytest.mark.usefixtures("lost_key")
def test_of_a_saga_that_is_gone_its_start_is_what_was_lost(log, journey):
    now = log.lost_writes._store.reach(redis_now) / 1000
    steps = [
        LostWrite(saga_id=saga_id, name=name, record="travel", at=now - 10 + n + k / 4)
        for n, saga_id in enumerate(("gone", journey.id))
        for k, name in enumerate(("step.started", "step.completed"))
    ]
    log.lost_writes.note(steps)
    start = LostWrite(saga_id="gone", name="saga.started", record=None, at=now - 10)
    assert log.lost_writes.read(kept_for=WEEK) == [start, *steps[2:]]
    assert log.lost_writes.read(kept_for=5.0) == steps


@pytest.mark.usefixtures("lost_key")
def test_a_start_that_was_repeated_is_lost_no_more(log, journey):
    log.lost_writes.note_unknown(journey.id)
    assert log.lost_writes.read(kept_for=WEEK) == []


def test_a_server_that_was_restarted_is_another_one(client, log):
    if type(client).__module__.startswith("fakeredis"):
        pytest.skip("it has no run id")
    assert log.lost_writes.read_servers() == log.lost_writes.read_servers() != frozenset()
