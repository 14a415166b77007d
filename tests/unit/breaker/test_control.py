"""What a person sees of a breaker, and does to it."""

import pytest

from amends import CircuitOpenError
from amends.backend.client import client_of
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


def test_one_that_is_forced_open_for_a_time_ends_by_itself_and_one_call_finds_out(define, clock):
    payments = define(half_open_max_calls=1)
    payments.force_open(by="ada", why="maintenance", duration=1800.0)
    clock.advance(1000)
    with pytest.raises(CircuitOpenError) as refused:
        payments.acquire()
    assert (refused.value.state, refused.value.retry_after) == ("forced_open", 800.0)
    snapshot = payments.snapshot()
    assert (snapshot.state, snapshot.forced_until) == ("forced_open", clock.now + 800)
    assert (snapshot.by, snapshot.why, snapshot.retry_after) == ("ada", "maintenance", 800.0)
    assert payments.history()[-1].details == {"wait": 1800.0}
    clock.advance(801)
    assert (payments.state, payments.snapshot().forced_until) == ("open", None)
    probe = payments.acquire()
    assert probe.is_probe
    with pytest.raises(CircuitOpenError):
        payments.acquire()
    probe.success()
    snapshot = payments.snapshot()
    assert (snapshot.state, snapshot.by, snapshot.why) == ("closed", "", "")


def test_to_a_worker_of_an_earlier_release_it_is_an_open_circuit_with_a_time(define, app, clock):
    """It reads neither `forced` nor what that means, and has to let calls through after the time as well."""
    payments = define()
    payments.force_open(duration=1800.0)
    key, *_ = payments._gate().shared.keys
    fields = client_of(app.conf.amends_backend).hgetall(key)
    assert (fields["state"], "override" in fields) == ("open", False)
    assert int(fields["until"]) == round((clock.now + 1800) * 1_000_000)


def test_one_that_is_forced_open_for_a_time_can_be_cleared_before(define, clock):
    payments = define()
    payments.force_open(duration=1800.0)
    payments.clear_override(by="ada")
    assert payments.acquire().is_probe
    assert [event.name for event in payments.history()][1] == "breaker.cleared"


@pytest.mark.parametrize("later", ["force_open", "disable", "reset"])
def test_a_later_act_takes_the_time_of_a_forced_opening_away(define, later):
    payments = define()
    payments.force_open(duration=1800.0)
    getattr(payments, later)(by="bob")
    state = {"force_open": "forced_open", "disable": "disabled", "reset": "closed"}[later]
    assert (payments.state, payments.snapshot().forced_until) == (state, None)
    payments.clear_override()
    assert payments.state != "forced_open"


def test_a_time_replaces_an_override_without_one(define, clock):
    payments = define()
    payments.force_open(by="bob")
    payments.force_open(by="ada", duration=60.0)
    clock.advance(61)
    assert payments.acquire().is_probe


@pytest.mark.parametrize("duration", [0, -1.0, 31 * 86400.0, float("inf"), float("nan")])
def test_a_time_that_makes_no_sense_is_refused(define, duration):
    payments = define()
    with pytest.raises(ValueError, match="duration is"):
        payments.force_open(duration=duration)
    assert payments.history() == []


def test_of_a_circuit_that_is_forced_open_no_time_is_promised(define):
    payments = define()
    payments.force_open(by="ada")
    with pytest.raises(CircuitOpenError, match="is forced open: an operator lets no call through"):
        payments.acquire()


def test_calls_that_are_kept_away_are_counted(define, fail, clock):
    payments = define()
    assert payments.snapshot().refused == 0
    fail(payments, 3)
    for _ in range(5):
        with pytest.raises(CircuitOpenError):
            payments.acquire()
    assert payments.snapshot().refused == 5
    clock.advance(60)
    probe = payments.acquire()
    with pytest.raises(CircuitOpenError):
        payments.acquire()
    probe.success()
    payments.reset()
    payments.call(lambda: None)
    assert payments.snapshot().refused == 6
