"""Rows O9 to O11 of the list of anomalies: cancel, deadline and completion race, and one of them wins."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from journey import Journey

CANCELLED = '{"type":"Cancelled","message":"someone cancelled the saga"}'


def together(*acts):
    gate = threading.Barrier(len(acts))

    def go(act):
        gate.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(go, acts))


def cancel(journey, **actor):
    return journey.log.acts.cancel_saga(journey.id, error=CANCELLED, actor=actor).action


def let_the_deadline_pass(journey):
    journey.client.hset(journey.log._store.keys_of(journey.id)[0], "deadline", 1)


@pytest.mark.parametrize("round_", range(10))
def test_o9_a_cancel_and_the_last_step_race_and_the_loser_is_told(log, client, round_):
    journey = Journey(log, client)
    journey.do("check_traveller", "travel", "postcard")
    journey.claim("hotel")
    cancelled, completed = together(
        lambda: cancel(journey), lambda: journey.complete("hotel").action
    )
    assert (cancelled, completed) in {("late", "end"), ("advance", "advance")}
    assert journey.status == ("completed" if cancelled == "late" else "compensating")
    if cancelled == "advance":
        assert journey.remaining() == ["hotel:undo", "travel:undo"]


def test_o9_one_of_many_cancels_wins(journey):
    journey.do("check_traveller", "travel")
    answers = together(*[lambda n=n: cancel(journey, by=str(n)) for n in range(10)])
    assert sorted(answers) == ["advance"] + ["late"] * 9
    assert journey.events().count("saga.cancelled") == 1


def test_o24c_a_repeated_cancel_gets_its_first_answer(journey):
    journey.do("check_traveller", "travel")
    arguments = ("cancel_saga", journey.id, "token", "", CANCELLED)
    first = journey.log._store.call(*arguments)
    assert first[0] == journey.log._store.call(*arguments)[0] == "advance"
    assert journey.events().count("saga.cancelled") == 1


def test_o9_a_cancel_of_a_saga_with_nothing_to_undo_ends_it(journey):
    assert cancel(journey) == "end"
    assert (journey.status, journey.field("outcome")) == ("compensated", "cancelled")


def test_o9_a_cancel_stops_a_retry_that_waits(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.claim("hotel")
    journey.retry("hotel", unknown=False, wait=60.0)
    assert cancel(journey) == "advance"
    assert journey.field("4.s") == "failed"
    assert journey.remaining() == ["travel:undo"]


def test_o9_a_cancel_at_the_switch_leaves_the_void_and_drops_the_fallback(journey):
    journey.do("check_traveller")
    journey.lose("travel", unknown=True)
    assert cancel(journey) == "advance"
    assert journey.field("2f.s") is None
    assert journey.remaining() == ["travel:undo"]


def test_o10_a_cancel_during_the_undo_changes_nothing(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    before = journey.log.read_saga(journey.id).fields
    assert cancel(journey) == "late"
    assert journey.log.read_saga(journey.id).fields == before


@pytest.mark.parametrize("round_", range(10))
def test_o11_the_deadline_and_the_last_step_race_and_one_wins(log, client, round_):
    journey = Journey(log, client)
    journey.do("check_traveller", "travel", "postcard")
    journey.claim("hotel")
    let_the_deadline_pass(journey)
    together(
        lambda: log.dispatch_saga(journey.id, longest_wait=300.0),
        lambda: journey.complete("hotel"),
    )
    if journey.status == "completed":
        assert journey.field("outcome") == "completed"
    else:
        assert (journey.status, journey.field("outcome")) == ("compensating", "timed_out")
        assert journey.remaining() == ["hotel:undo", "travel:undo"]


def test_o11_a_deadline_that_passes_after_the_end_changes_nothing(journey):
    journey.do("check_traveller", "travel", "postcard", "hotel")
    let_the_deadline_pass(journey)
    before = journey.log.read_saga(journey.id).fields
    assert journey.remaining() == []
    assert journey.log.read_saga(journey.id).fields == before


def test_o11_a_deadline_no_longer_applies_once_the_saga_goes_back(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    let_the_deadline_pass(journey)
    assert journey.remaining() == ["travel:undo"]
    assert journey.field("outcome") == "lost"
    assert journey.claim("travel:undo").saga_time_left is None
