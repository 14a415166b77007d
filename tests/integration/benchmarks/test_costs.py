"""What a saga costs, as `make bench` counts it: commands of ours to its log, and the bytes of one that ended."""

import pytest

from benchmarks.contenders import CONTENDERS, chosen
from benchmarks.contenders.order import STEPS
from benchmarks.counting import count, measure_order
from benchmarks.plan import Plan
from benchmarks.servers import server

PLAN = Plan(sagas=20, warm=6)
CONTENDER = {contender.name: contender for contender in CONTENDERS}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with server(tmp_path_factory.mktemp("bench")) as place:
        yield place


def test_a_saga_costs_one_command_to_start_and_two_a_step(place):
    counts = count(place, CONTENDER["amends"], PLAN)
    assert (counts.start.log, counts.run.log) == (1, 2 * STEPS)


def test_a_saga_that_goes_on_inline_costs_one_a_step_and_one(place):
    counts = count(place, CONTENDER["amends_inline"], PLAN)
    assert (counts.start.log, counts.run.log) == (1, STEPS + 1)


def test_without_the_fast_path_the_broker_is_asked_more_and_the_log_as_often(place):
    (variant,) = (each for each in chosen(fast="both") if each.name == "amends_no_fast_path")
    counts = count(place, variant, PLAN)
    assert (counts.start.log, counts.run.log) == (1, 2 * STEPS)
    assert counts.start.broker >= 1
    assert counts.run.broker > 2 * STEPS


def test_a_finished_order_keeps_4000_bytes_at_most(tmp_path):
    assert measure_order(tmp_path) <= 4_000
