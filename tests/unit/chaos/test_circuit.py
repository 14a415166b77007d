"""How many charges a circuit breaker may let through to a service that is down: the arithmetic of it."""

from dataclasses import replace
from math import inf

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from amends.breaker.redis_access import Away, RedisAccess
from amends.breaker.snapshot import CircuitEvent
from amends.log.history import Event
from tests.chaos.circuit import (
    THAWED_WITHIN,
    Attempt,
    Limits,
    Outage,
    allowed,
    attempts_of,
    early_probes,
)
from tests.chaos.service_faults import LEFT_ALONE

LIMITS = Limits(failure_threshold=3, reset_timeout=3.0, lease=60.0, calls_at_once=4)


def outage(*moves, began=100.0, ended=120.0, left_alone=0):
    return Outage(
        faults={"down": True},
        began=began,
        ended=ended,
        charges=0,
        left_alone=left_alone,
        transitions=transitions(*moves),
    )


def transitions(*moves):
    """Build a circuit's history from ``(at, what)``."""
    return [
        CircuitEvent(name=f"breaker.{what}", at=at, by="host:1", why="", details={})
        for at, what in moves
    ]


def attempt(began, ended, **changes):
    return Attempt(began=began, ended=ended, **changes)


def test_a_closed_circuit_opens_and_probes():
    """Two failures, the third that opens it, and a probe each time that it is half-open."""
    moves = [(101.0, "opened"), (104.0, "half_opened"), (104.3, "opened"), (107.5, "half_opened")]
    attempts = [
        attempt(100.1, 100.4),
        attempt(100.2, 100.5),
        attempt(100.6, 101.0),
        attempt(104.0, 104.3),
        attempt(107.5, inf),
    ]
    may = allowed(outage(*moves), attempts, LIMITS)
    assert (may.counted, may.under_way, may.probes, may.charges) == (2, 1, 2, 5)
    assert may.outside == 2


def test_what_is_under_way_when_the_outage_begins_or_the_circuit_opens_may_arrive():
    attempts = [attempt(99.0, 100.5), attempt(100.5, 101.5), attempt(100.9, 101.2)]
    assert allowed(outage((101.0, "opened")), attempts, LIMITS).under_way == 3


def test_an_open_circuit_lets_nothing_through_that_began_in_it():
    attempts = [attempt(101.0, 102.0), attempt(99.0, 99.9)]
    may = allowed(outage((99.0, "opened")), attempts, LIMITS)
    assert (may.charges, may.outside) == (0, 1)


def test_a_success_from_before_the_outage_begins_the_count_of_failures_anew():
    attempts = [attempt(99.9, 100.4, succeeded=True)]
    attempts += [attempt(100.5 + each, 100.6 + each) for each in (0.0, 0.1, 0.2, 0.3, 0.4)]
    may = allowed(outage((103.0, "opened")), attempts, LIMITS)
    assert (may.counted, may.under_way) == (4, 1)


def test_a_probe_from_before_the_outage_closes_the_circuit_in_it():
    moves = [(98.0, "opened"), (99.9, "half_opened"), (100.3, "closed"), (101.0, "opened")]
    attempts = [attempt(99.9, 100.3, succeeded=True), attempt(100.4, 100.5), attempt(100.9, 101.0)]
    may = allowed(outage(*moves), attempts, LIMITS)
    assert (may.counted, may.under_way, may.charges) == (1, 2, 4)


def test_a_circuit_that_never_opens_allows_what_it_counts_and_what_is_under_way():
    attempts = [attempt(100.0 + each, 100.4 + each) for each in range(20)]
    assert allowed(outage(), attempts, LIMITS).charges == 2 + 1


def test_a_lost_attempt_counts_while_its_process_may_be_thawed():
    lost = attempt(90.0, 90.0 + THAWED_WITHIN, lost=True)
    assert allowed(outage((99.0, "opened")), [lost], LIMITS).under_way == 1
    early = attempt(60.0, 60.0 + THAWED_WITHIN, lost=True)
    assert allowed(outage((99.0, "opened")), [early], LIMITS).under_way == 0


def test_an_attempt_that_was_lost_while_the_circuit_was_closed_is_no_failure_that_it_counted():
    lost = attempt(100.1, 131.0, lost=True)
    assert allowed(outage((140.0, "opened"), ended=150.0), [lost], LIMITS).under_way == 1


@pytest.mark.parametrize(("until", "probes"), [(130.0, 1), (165.0, 2), (225.0, 3)])
def test_the_place_of_a_killed_probe_is_given_again_after_its_lease(until, probes):
    moves = [(101.0, "opened"), (104.0, "half_opened")]
    assert allowed(outage(*moves, ended=until), [], LIMITS).probes == probes


def test_the_place_of_a_probe_that_was_lost_with_its_process_is_given_again():
    moves = [(99.0, "opened"), (104.0, "half_opened")]
    lost = attempt(104.0, 104.0 + THAWED_WITHIN, lost=True)
    may = allowed(outage(*moves), [lost, attempt(112.0, 113.0)], LIMITS)
    assert (may.probes, may.outside, may.charges) == (2, 1, 2)


def test_a_circuit_that_was_half_open_before_may_give_the_place_of_a_refused_charge_again():
    moves = [(96.0, "opened"), (99.0, "half_opened")]
    assert allowed(outage(*moves), [], LIMITS).probes == 1


def test_a_process_that_found_redis_away_counts_alone():
    moves = [(99.0, "opened")]
    assert allowed(outage(*moves, left_alone=2), [], LIMITS).alone == 2 * (2 + 4)


def test_a_probe_before_its_time_is_found():
    good = transitions((1.0, "opened"), (4.0, "half_opened"), (4.1, "closed"), (5.0, "opened"))
    assert early_probes(good, 3.0) == []
    bad = [*good, *transitions((7.9, "half_opened"))]
    assert [event.at for event in early_probes(bad, 3.0)] == [7.9]
    waits = [replace(bad[-2], details={"wait": 6.0}), replace(bad[-1], at=9.0)]
    assert len(early_probes(waits, 3.0)) == 1


def told(*texts):
    """Build a history from ``name record [error]``, a second each."""
    events = []
    for at, text in enumerate(texts):
        name, record, error = (*text.split(), None)[:3]
        details = {"error": {"type": error}} if error else {}
        events.append(Event(name=name, at=float(at), record=record, details=details))
    return events


def test_attempts_are_read_from_a_history():
    history = told(
        *("step.started pay", "step.retrying pay ServerError"),
        *("step.started pay", "step.retrying pay WorkerLostError"),
        *("step.started pay", "step.late pay ServerError", "step.completed pay"),
        *("step.started ship", "step.started pay:undo"),
    )
    assert list(attempts_of(history, "pay")) == [
        attempt(0.0, 1.0),
        attempt(2.0, 2.0 + THAWED_WITHIN, lost=True),
        attempt(4.0, 6.0, succeeded=True),
    ]


def test_an_attempt_that_met_an_open_circuit_made_no_call():
    history = told("step.started pay", "step.failed pay CircuitOpenError", "step.switching pay")
    assert list(attempts_of(history, "pay")) == []


def test_an_attempt_that_did_not_end_is_under_way_for_ever():
    assert list(attempts_of(told("step.started pay"), "pay")) == [attempt(0.0, inf)]


def test_what_a_process_logs_that_finds_redis_away_is_what_is_counted(caplog):
    gone = Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    with caplog.at_level("WARNING"), pytest.raises(Away):  # a worker of another test may be silent
        RedisAccess(gone).ask(lambda client: client.ping())
    assert LEFT_ALONE in caplog.text
