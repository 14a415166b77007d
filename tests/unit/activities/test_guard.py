"""How long a call is put off that met an open circuit."""

import random

import pytest

from amends import CircuitBreaker, CircuitOpenError
from amends.activities.guard import Guard, wait_for_circuit


@pytest.fixture
def longest(monkeypatch):
    """Let every jitter be as long as it may be."""
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)


def test_the_jitter_grows_with_each_deferral_up_to_a_minute(longest):
    error = CircuitOpenError("payments", "open", 30.0)
    waits = [wait_for_circuit(error, deferrals) for deferrals in (0, 1, 2, 3, 6, 5000)]
    assert waits == [31.0, 32.0, 34.0, 38.0, 90.0, 90.0]


def test_it_is_drawn_from_the_whole_of_it():
    error = CircuitOpenError("payments", "open", 30.0)
    waits = sorted(wait_for_circuit(error, 4) for _ in range(1000))
    assert 30.0 <= waits[0] < 34.0
    assert 42.0 < waits[-1] <= 46.0


def test_the_end_of_a_probe_that_is_under_way_is_not_known_and_not_waited_for(longest):
    error = CircuitOpenError("payments", "half_open", 80.0)
    assert [wait_for_circuit(error, deferrals) for deferrals in (0, 1, 2)] == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("scope", "on_open", "left", "expected"),
    [
        ("shared", "defer", 30.0, ([], 62.0)),
        ("worker", "fallback", 30.0, ([], 62.0)),
        ("worker", "fail", 30.0, ([], 62.0)),
        ("worker", "defer", 30.0, ([2.0], 1.0)),
        ("worker", "defer", 0.5, ([0.5], 1.0)),
    ],
)
def test_a_worker_whose_own_circuit_is_open_is_slow_to_take_what_others_may_do(
    longest, monkeypatch, scope, on_open, left, expected
):
    slept = []
    monkeypatch.setattr("amends.activities.guard.time.sleep", slept.append)
    error = CircuitOpenError("payments", "open", left)

    def refuse(**_):
        raise error

    breaker = CircuitBreaker(f"guarded-{scope}", failure_on=(OSError,), scope=scope)
    monkeypatch.setattr(breaker, "acquire", refuse)
    guard = Guard(breaker=breaker, on_open=on_open)
    with pytest.raises(CircuitOpenError):
        guard.acquire(("id", 0), longest=45.0, limit=30.0)
    assert (slept, guard.wait(CircuitOpenError("payments", "open", 30.0), 5)) == expected


def test_it_is_held_for_a_part_of_its_time_at_most(monkeypatch):
    slept = []
    monkeypatch.setattr("amends.activities.guard.time.sleep", slept.append)

    def refuse(**_):
        raise CircuitOpenError("payments", "open", 30.0)

    breaker = CircuitBreaker("guarded-briefly", failure_on=(OSError,), scope="worker")
    monkeypatch.setattr(breaker, "acquire", refuse)
    with pytest.raises(CircuitOpenError):
        Guard(breaker=breaker, on_open="defer").acquire(("id", 0), longest=1.0, limit=0.5)
    assert slept == [0.25]


def test_one_that_is_forced_open_is_asked_again_before_its_time_is_over(longest):
    """An operator may let go of it at any time."""
    breaker = CircuitBreaker("guard-forced", failure_on=(OSError,), reset_timeout=20.0)
    guard = Guard(breaker=breaker, on_open="defer")
    assert guard.wait(CircuitOpenError("guard-forced", "forced_open", 1800.0), 0) == 21.0
    assert guard.wait(CircuitOpenError("guard-forced", "forced_open", 5.0), 0) == 6.0
    assert guard.wait(CircuitOpenError("guard-forced", "open", 1800.0), 0) == 1801.0
