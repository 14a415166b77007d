"""What a person sees of a breaker, and does to it."""

import pytest

from amends import CircuitOpenError
from amends.backend.scripts import SCRIPTS
from amends.breaker.snapshot import EVENT_NAMES
from amends.breaker.states import CIRCUIT_MOVES, CircuitState


def test_the_history_says_who_moved_it_when_and_why(define, fail, clock):
    payments = define(reset_timeout_multiplier=2.0)
    fail(payments, 3)
    clock.advance(60)
    probe = payments.acquire(token="task.0")
    probe.success()
    payments.force_open(by="ada", why="the bank called")
    payments.clear_override(by="bob", why="the bank called again")
    payments.reset(by="eve")
    events = payments.history()
    assert [event.name.removeprefix("breaker.") for event in events] == [
        "opened",
        "half_opened",
        "closed",
        "forced_open",
        "cleared",
        "reset",
    ]
    opened, half_opened, *_ = events
    assert (opened.why, opened.details) == ("ServerError: down", {"failures": 3, "wait": 60.0})
    assert (opened.at, half_opened.at) == (clock.now - 60, clock.now)
    assert half_opened.details == {"token": "task.0"}
    assert half_opened.by.rpartition(":")[2].isdecimal()
    assert [(event.by, event.why) for event in events[3:]] == [
        ("ada", "the bank called"),
        ("bob", "the bank called again"),
        ("eve", ""),
    ]
    assert payments.history(limit=2) == events[-2:]


def test_the_history_keeps_the_newest(define):
    payments = define()
    for n in range(110):
        payments.reset(by=str(n))
    assert [event.by for event in payments.history(1000)] == [str(n) for n in range(10, 110)]


def test_a_forced_breaker_lets_none_through_until_it_is_cleared(define, clock):
    payments = define()
    payments.force_open(by="ada", why="maintenance")
    clock.advance(1_000_000)
    with pytest.raises(CircuitOpenError) as refused:
        payments.acquire()
    assert (refused.value.state, refused.value.retry_after) == ("forced_open", 60.0)
    snapshot = payments.snapshot()
    assert (snapshot.state, snapshot.beneath) == ("forced_open", "closed")
    assert (snapshot.by, snapshot.why, snapshot.retry_after) == ("ada", "maintenance", 60.0)
    payments.clear_override(by="ada")
    payments.call(lambda: None)
    assert payments.snapshot().by == ""


def test_a_disabled_breaker_lets_all_through_and_records_none(define, fail):
    payments = define()
    fail(payments, 3)
    payments.disable(by="ada")
    fail(payments, 10)
    assert (payments.state, payments.retry_after) == ("disabled", 0.0)
    payments.clear_override()
    assert (payments.state, payments.retry_after) == ("open", 60.0)


def test_a_call_that_began_while_it_was_disabled_is_not_recorded_after_it(define, server_error):
    payments = define(failure_threshold=1)
    payments.disable()
    permit = payments.acquire()
    payments.clear_override()
    permit.failure(server_error("down"))
    assert (payments.state, payments.snapshot().late) == ("closed", 0)


def test_a_call_that_was_under_way_when_a_person_acted_is_late(define, server_error):
    payments = define(failure_threshold=1)
    for act in (payments.force_open, payments.disable, payments.reset):
        payments.reset()
        permit = payments.acquire()
        act()
        payments.clear_override()
        permit.failure(server_error("down"))
        assert payments.state == "closed"
    assert payments.snapshot().late == 3


def test_a_reset_closes_and_takes_an_override_away(define, fail):
    payments = define()
    fail(payments, 3)
    payments.force_open()
    payments.reset()
    assert (payments.state, payments.snapshot().opens) == ("closed", 0)
    payments.call(lambda: None)


def test_an_override_that_is_not_there_is_cleared_without_a_word(define):
    payments = define()
    payments.clear_override()
    assert payments.history() == []


def test_acts_in_one_microsecond_are_epochs_of_their_own(define, server_error):
    payments = define(failure_threshold=1)
    payments.reset()  # the clock stands still
    old = payments.acquire()
    payments.reset()
    old.failure(server_error("down"))
    assert payments.state == "closed"


def test_reading_takes_no_permit_and_moves_nothing(define, fail, clock):
    payments = define()
    fail(payments, 3)
    clock.advance(60)
    before = payments.snapshot()
    assert (payments.state, payments.retry_after) == ("open", 0.0)
    assert payments.snapshot() == before
    assert len(payments.history()) == 1


def test_the_wait_of_a_full_half_open_is_its_first_lease(define, fail, clock):
    payments = define(half_open_max_calls=2)
    fail(payments, 3)
    clock.advance(60)
    payments.acquire(token="a", lease=40.0)
    assert payments.retry_after == 0.0
    payments.acquire(token="b", lease=30.0)
    assert payments.retry_after == 30.0
    assert payments.snapshot().probes == {"a": 40.0, "b": 30.0}
    clock.advance(30)
    assert payments.acquire(token="c").is_probe


def test_the_scripts_write_these_events_and_no_others():
    text = "\n".join(SCRIPTS.values())
    for name in EVENT_NAMES:
        is_written = f"'{name}'" in text
        assert is_written or name.removeprefix("breaker.") in {"forced_open", "disabled"}
    assert text.count("add_event('breaker.") >= len(EVENT_NAMES) - 2


def test_every_legal_move_is_between_states_that_calls_make():
    reached = set().union(*CIRCUIT_MOVES.values())
    assert reached == CIRCUIT_MOVES.keys() == set(CircuitState) - {"forced_open", "disabled"}
