"""How long a call is put off that met an open circuit."""

import random

import pytest

from amends import CircuitOpenError
from amends.activities.guard import wait_for_circuit


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
