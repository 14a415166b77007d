"""A history stays bounded, whatever repeats; and an entry that stands for many tells so."""

import json

import pytest
import redis

from amends.errors import ActRefused
from amends.log.queries.summary import SagaSummaries
from amends.log.store import Store

CIRCUIT = '{"type":"CircuitOpenError","message":"open","circuit":"bank"}'
DEFERRALS = 120


@pytest.fixture
def client(redis_url):
    """Give the real Redis alone: so many transitions take a fake one seconds."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as real:
        yield real


def bound(journey):
    """Tell how many events of a saga have an entry each."""
    return 50 + 10 * len(journey.log.read_saga(journey.id).itinerary.records)


def defer(journey, path, begin, end):
    for n in range(begin, end):
        journey.claim(path, f"t{n}", retries=n)
        how = {"error": CIRCUIT, "wait": 0.0, "unknown": False, "cost": "nothing"}
        journey.log.retry_step(journey.id, path, token=f"t{n}", **how)


def history(journey):
    return journey.log.read_history(journey.id)


@pytest.fixture
def deferred(journey):
    """Give a saga whose first step met an open circuit very often."""
    defer(journey, "check_traveller", 0, DEFERRALS)
    return journey


def test_alike_events_share_one_entry_that_says_how_many_and_since_when(deferred):
    kept = bound(deferred)
    assert kept <= len(history(deferred)) <= kept + 2
    folded = [each for each in history(deferred) if each.count > 1]
    assert {each.name for each in folded} == {"step.started", "step.retrying"}
    assert all(each.first_at <= each.at for each in folded)
    assert [each.details["error"]["circuit"] for each in folded if "error" in each.details] == [
        "bank"
    ]
    assert sum(each.count for each in history(deferred)) == 1 + 2 * DEFERRALS


def test_a_history_grows_no_more_however_often_it_repeats(deferred):
    before = len(history(deferred))
    defer(deferred, "check_traveller", DEFERRALS, DEFERRALS + 50)
    assert len(history(deferred)) == before


def test_first_events_and_those_of_another_kind_stay_entries_of_their_own(deferred):
    deferred.claim("check_traveller", "last", retries=DEFERRALS)
    deferred.complete("check_traveller", "last")
    first, *_, last = history(deferred)
    assert (first.name, first.count) == ("saga.started", 1)
    assert (last.name, last.count, last.first_at) == ("step.completed", 1, None)


def retries_counted(log):
    return sum(
        n for words, n in log.read_counters().items() if words[:2] == ("event", "step.retrying")
    )


def test_observers_and_counters_hear_of_each(log, journey):
    heard, before = [], retries_counted(log)
    log._store._tell = lambda _, head, events: heard.extend(map(json.loads, events))
    defer(journey, "check_traveller", 0, DEFERRALS)
    assert sum(each["name"] == "step.retrying" for each in heard) == DEFERRALS
    assert not any("count" in each for each in heard)
    assert retries_counted(log) - before == DEFERRALS


def test_what_an_operator_saw_is_compared_with_every_event_also_the_folded_ones(client, deferred):
    (summary,) = SagaSummaries(Store(client, shards=64)).summarize_sagas([deferred.id])
    assert summary.events == sum(each.count for each in history(deferred))
    assert summary.events == deferred.log.examine_saga(deferred.id).events
    defer(deferred, "check_traveller", DEFERRALS, DEFERRALS + 1)
    control = deferred.log.control
    with pytest.raises(ActRefused, match="it has moved on since you looked"):
        control.pause_saga(deferred.id, actor={}, seen=summary.events)
    control.pause_saga(deferred.id, actor={}, seen=summary.events + 2)


def test_pauses_and_late_results_are_folded_too(journey):
    for _ in range(80):
        journey.log.control.pause_saga(journey.id, actor={"by": "ada"})
        journey.log.control.resume_saga(journey.id, actor={"by": "ada"})
        journey.complete("check_traveller", "late")
    assert len(history(journey)) <= bound(journey) + 3
    assert {each.name for each in history(journey) if each.count > 1} == {
        "saga.paused",
        "saga.resumed",
        "step.late",
    }


def test_the_last_event_of_a_saga_is_the_latest_also_where_an_earlier_entry_has_it(deferred):
    deferred.log.control.pause_saga(deferred.id, actor={})
    deferred.log.control.resume_saga(deferred.id, actor={})
    defer(deferred, "check_traveller", DEFERRALS, DEFERRALS + 1)
    standing = deferred.log.examine_saga(deferred.id)
    assert standing.history[-1].name == "saga.resumed"
    assert standing.last_event.at == max(each.at for each in standing.history)


def test_a_removed_saga_leaves_nothing_of_it(deferred):
    deferred.claim("check_traveller", "last", retries=DEFERRALS)
    deferred.fail("check_traveller", "last")
    deferred.log.maintenance.remove_sagas([deferred.id], kept_for=0.0)
    assert not deferred.client.exists(deferred.saga_key)
