"""The verdict over the outages of a run."""

from io import StringIO

import pytest
from rich.console import Console

from amends.breaker.snapshot import CircuitEvent
from amends.log.history import Event
from demo.orders import plan_orders
from demo.sandbox import LedgerEntry
from tests.chaos.circuit import Limits, Outage
from tests.chaos.order_verdict import OrderVerdict
from tests.chaos.outage_verdict import complaints_of, judge_outages, outages_table

ORDER = plan_orders(1, series="t")[0]
LIMITS = Limits(failure_threshold=3, reset_timeout=3.0, lease=60.0, calls_at_once=1)
MOVES = ((98.0, "opened"), (103.0, "half_opened"), (103.3, "opened"))


def judged(*, charges=1, calls=1, moves=MOVES, paid_at=105.0, outcome="completed"):
    transitions = [
        CircuitEvent(name=f"breaker.{what}", at=at, by="host:1", why="", details={})
        for at, what in moves
    ]
    outage = Outage(
        faults={"down": True},
        began=100.0,
        ended=110.0,
        charges=charges,
        left_alone=0,
        transitions=transitions,
    )
    told = [
        Event(name=name, at=103.0 + call, record="process_payment")
        for call in range(calls)
        for name in ("step.started", "step.failed")
    ]
    paid = Event(name="step.completed", at=paid_at, record="process_payment:fallback")
    order = OrderVerdict(
        planned=ORDER,
        status=outcome,
        outcome=outcome,
        entry=LedgerEntry(order_id=ORDER.id),
        history=[*told, paid],
    )
    return judge_outages([outage], [order], LIMITS)


def test_an_outage_passes_in_which_the_circuit_held_and_an_order_completed():
    verdict = judged()
    assert complaints_of(verdict) == []
    out = StringIO()
    Console(file=out, width=80).print(outages_table(verdict, began=90.0))
    (line,) = [line for line in out.getvalue().splitlines() if "down" in line]
    assert line.split() == ["down", "10", "1", "1", "0", "0", "1", "0", "1", "1"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"charges": 2}, "outage 1: 2 charges reached the primary, 1 may have"),
        ({"moves": (*MOVES, (105.0, "half_opened"))}, "a probe was granted too early"),
        ({"calls": 2}, "2 attempts called while the circuit was not closed"),
        ({"paid_at": 111.0}, "no order completed through the fallback in an outage"),
        ({"outcome": "cancelled"}, "no order completed through the fallback in an outage"),
    ],
)
def test_what_is_wrong_with_an_outage_is_found(wrong, says):
    (complaint,) = complaints_of(judged(**wrong))
    assert says in complaint


def test_a_run_without_the_outages_that_it_was_to_have_does_not_pass():
    assert complaints_of([]) == ["there was no outage to judge"]
