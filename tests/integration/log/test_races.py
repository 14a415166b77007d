"""Rows O9 to O11, O16, O22, O25 and C13 of the list of anomalies: cancel, deadline and completion race, and one of them wins."""

import threading
from concurrent.futures import ThreadPoolExecutor

import fakeredis
import pytest

from amends.errors import ActRefused
from amends.log.answers import Run, Stop
from amends.log.saga_log import SagaLog
from amends.testing.clock import Clock, keep_time
from tests.support.log_driver import Journey
from tests.support.log_view import view_of

CANCELLED = '{"type":"Cancelled","message":"someone cancelled the saga"}'


def together(*acts):
    gate = threading.Barrier(len(acts))

    def go(act):
        gate.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(go, acts))


def cancel(journey, **actor):
    return journey.log.control.cancel_saga(journey.id, error=CANCELLED, actor=actor).said


def let_the_deadline_pass(journey):
    journey.client.hset(journey.saga_key, "deadline", 1)


@pytest.mark.parametrize("round_", range(10))
def test_o9_a_cancel_and_the_last_step_race_and_the_loser_is_told(log, client, round_):
    journey = Journey(log, client)
    journey.do("check_traveller", "travel", "postcard")
    journey.claim("hotel")
    cancelled, completed = together(lambda: cancel(journey), lambda: journey.complete("hotel").said)
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
    arguments = ("cancel_saga", journey.id, "token", "", "", "", 0, 0, CANCELLED)
    first = view_of(journey.log).call(*arguments)
    assert first[0] == view_of(journey.log).call(*arguments)[0] == "advance"
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


@pytest.mark.parametrize("round_", range(5))
def test_c13_a_person_and_a_worker_take_an_undo_and_one_of_them_gets_it(log, client, round_):
    journey = Journey(log, client)
    journey.do("check_traveller", "travel")
    cancel(journey)

    def skip():
        try:
            return log.control.skip_step(journey.id, "travel", output="", actor={}).said
        except ActRefused:
            return "refused"

    skipped, claimed = together(skip, lambda: journey.claim("travel:undo"))
    assert (skipped, type(claimed)) in {("end", Stop), ("refused", Run)}


def test_o16_two_sweeps_at_once_share_what_is_due(log, client):
    journeys = [Journey(log, client) for _ in range(40)]
    for journey in journeys:
        client.zadd(view_of(log).due_key_of(journey.id), {journey.id: 1})
    taken = together(*[lambda: log.maintenance.take_due(lease=10.0, limit=50)] * 4)
    ours = [each for ids in taken for each in ids if each in {j.id for j in journeys}]
    assert sorted(ours) == sorted(journey.id for journey in journeys)


def test_o25_a_sweep_takes_a_batch_of_what_is_due_the_oldest_first(log, client):
    due = view_of(log).due_key(7)
    client.delete(due)
    client.zadd(due, {f"saga-{n:03}": n + 1 for n in range(120)})
    batches = [
        [
            each
            for each in log.maintenance.take_due(lease=10.0, limit=50)
            if each.startswith("saga-")
        ]
        for _ in range(3)
    ]
    client.delete(due)
    assert [len(batch) for batch in batches] == [50, 50, 20]
    assert sorted(batches[0]) == [f"saga-{n:03}" for n in range(50)]


def test_o22_a_clock_that_goes_back_changes_neither_order_nor_end():
    client, clock = fakeredis.FakeRedis(decode_responses=True), Clock(1_000_000.0)
    keep_time(client, clock)
    journey = Journey(SagaLog(client), client)
    for step in ("check_traveller", "travel", "postcard", "hotel"):
        clock._milliseconds -= 3_600_000
        journey.do(step)
    assert journey.status == "completed"
    history = journey.log.read_history(journey.id)
    assert history[0].at > history[-1].at
    assert (history[0].name, history[-1].name) == ("saga.started", "saga.finished")
