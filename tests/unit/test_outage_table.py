"""The verdict over the outage of `make demo-breaker`, and what its table says of the circuit in a second."""

import pytest

from demo.outage import Second, circuit_in, has_opened_and_closed

SECOND = Second(began=0.0, ended=1.0, is_down=True, circuit="open", charges={})


@pytest.mark.parametrize(
    ("moves", "told"),
    [
        ([], "open"),
        (["breaker.opened"], "opened"),
        (["breaker.half_opened", "breaker.opened"], "probed, opened"),
        (["breaker.half_opened", "breaker.closed"], "probed, closed"),
    ],
)
def test_its_moves_are_told_or_else_its_state(moves, told):
    assert circuit_in(SECOND, moves) == told


@pytest.mark.parametrize(
    ("moves", "passes"),
    [
        (["breaker.opened", "breaker.half_opened", "breaker.closed"], True),
        (["breaker.opened", "breaker.half_opened"], False),
        (["breaker.closed"], False),
        ([], False),
    ],
)
def test_a_circuit_has_to_open_and_to_close(moves, passes):
    assert has_opened_and_closed(moves) is passes
