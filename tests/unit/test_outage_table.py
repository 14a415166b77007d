"""What the outage's table says of the circuit in a second."""

import pytest

from demo.outage import Second, circuit_in

SECOND = Second(at=1.0, is_down=True, circuit="open", charges={})


@pytest.mark.parametrize(
    ("moves", "told"),
    [
        ([], "open"),
        (["breaker.opened"], "opened"),
        (["breaker.half_opened", "breaker.opened"], "probed, opened"),
        (["breaker.half_opened", "breaker.closed"], "probed, closed"),
    ],
)
def test_its_moves_are_told_or_how_it_was_where_it_had_none(moves, told):
    assert circuit_in(SECOND, moves) == told
