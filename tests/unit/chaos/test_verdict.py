"""The verdict over a run: what is wrong with an order, and what a reader is told."""

import json
from dataclasses import replace
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from amends.log.history import Event
from amends.log.queries.lost_writes import LostWrite
from demo.orders import plan_orders
from demo.sandbox import LedgerEntry
from sagas.fulfilment import fulfilment_saga
from sagas.invoice import invoice_saga
from sagas.order import order_saga
from tests.chaos.approvals import Answer, wrongly_told
from tests.chaos.order_verdict import ChildVerdict, OrderVerdict, contradictions
from tests.chaos.standstill import Standstill
from tests.chaos.verdict import Verdict, print_verdict, write_figures, write_histories

ORDER = plan_orders(1, series="t")[0]
IN_FORCE = {
    "order_id": ORDER.id,
    "reserved": ORDER.units,
    "charged": ORDER.order.total_amount,
    "charges": 1,
    "shipments": 1,
    "notifications": 1,
}


def history(*texts):
    """Build a history from ``name`` and ``name record [state]``."""
    events = []
    for at, text in enumerate(texts):
        name, record, state = (*text.split(), None, None)[:3]
        details = {"state": state} if state else {}
        events.append(Event(name=name, at=float(at), record=record, details=details))
    return events


BEFORE, AFTER = history("step.started pay", "step.completed pay")


def order(status="completed", outcome="completed", told=("saga.started", "saga.finished"), **entry):
    return OrderVerdict(
        planned=ORDER,
        status=status,
        outcome=outcome,
        entry=LedgerEntry(**{**IN_FORCE, **entry}),
        history=history(*told),
    )


def standstill(seconds):
    return Standstill(saga_id=ORDER.id, seconds=seconds, gap=seconds, before=BEFORE, after=AFTER)


def verdict(*orders, seconds=5.0, outages=None):
    longest = standstill(seconds)
    return Verdict(
        orders=orders,
        hit={"log killed": 2},
        missed={"message deleted": 1},
        standstill=longest,
        gap=longest,
        ended_by_themselves=["orders-1"],
        starts_raised=["KeyError('x')"],
        began=1.0,
        elapsed=60.0,
        outages=outages,
    )


def printed(verdict, tmp_path):
    out = StringIO()
    print_verdict(verdict, console=Console(file=out, width=120), directory=tmp_path)
    return out.getvalue()


def test_a_run_passes_when_all_is_consistent(tmp_path):
    good = verdict(order())
    assert good.passed
    text = printed(good, tmp_path)
    assert "all 1 sagas ended, log and ledger agree" in text
    assert "longest standstill: 5.0 s" in text
    assert "orders-1 ended by itself 1 times" in text
    assert "a start raised KeyError('x') 1 times" in text


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (order(charged=Decimal("1.00")), "charged: 1.00"),
        (order(duplicates=1), "duplicates: 1"),
        (order(status="compensated", outcome="cancelled"), "shipments: 1, expected 0"),
        (order(status="stuck"), "the saga did not end: it is stuck"),
        (order(status="compensated"), "compensated with the outcome completed"),
        (order(status=None, outcome=None), "never started"),
        (order(told=("saga.started", "saga.finished", "step.started pay")), "after its end"),
    ],
)
def test_one_inconsistent_order_fails_the_run(wrong, says, tmp_path):
    bad = verdict(order(), wrong)
    assert not bad.passed
    text = printed(bad, tmp_path)
    assert says in text
    assert "NOT CONSISTENT: 1 of 2 orders" in text


def test_a_standstill_of_30_s_fails_the_run(tmp_path):
    assert verdict(order(), seconds=29.9).passed
    slow = verdict(order(), seconds=30.0)
    assert not slow.passed
    assert "STOOD STILL" in printed(slow, tmp_path)


def test_a_circuit_that_did_not_hold_fails_the_run(tmp_path):
    leaky = verdict(order(), outages=[])
    assert not leaky.passed
    text = printed(leaky, tmp_path)
    assert "there was no outage to judge" in text
    assert "THE CIRCUIT DID NOT HOLD" in text


def test_the_figures_have_every_reason_why_a_run_failed(tmp_path):
    write_figures(verdict(order(duplicates=1), order(), seconds=30.0, outages=[]), tmp_path)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["findings"] == [
        f"{ORDER.id} (completed): duplicates: 1, expected 0",
        f"a saga stood still: {standstill(30.0)}",
        "there was no outage to judge",
    ]


def test_the_history_of_what_is_wrong_is_kept(tmp_path):
    write_histories(verdict(order(duplicates=1)), tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.read_text().count("\n") == 2


GOOD = (
    "saga.started",
    "step.started pay",
    "step.failed pay unknown",
    "step.switching pay",
    "step.compensating pay:undo",
    "step.compensated pay:undo",
    "step.started pay:fallback",
    "step.completed pay:fallback",
    "step.started ship",
    "step.failed ship failed",
    "saga.compensating",
    "step.compensating pay:fallback:undo",
    "step.compensated pay:fallback:undo",
    "saga.finished",
    "step.late pay",
)


def test_a_good_history_has_no_contradictions():
    assert contradictions(history(*GOOD), order_saga.itinerary) == []


def without(*left_out):
    return [text for text in GOOD if text not in left_out]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (GOOD[1:], "not started once"),
        ((*GOOD, "step.completed ship"), "after its end: step.completed"),
        ((*GOOD[:8], *GOOD[7:]), "step.completed 2 times for pay:fallback"),
        (without("step.compensated pay:undo"), "pay:fallback started while pay may have"),
        (
            (
                *("saga.started", "step.started reserve_inventory"),
                *("step.started create_shipment", "saga.compensating"),
                *(
                    "step.compensating reserve_inventory:undo",
                    "step.compensating create_shipment:undo",
                ),
            ),
            "compensated in the order reserve_inventory:undo, create_shipment:undo; started in reserve",
        ),
    ],
)
def test_what_cannot_be_in_a_history_is_found(told, says):
    (complaint,) = contradictions(history(*told), order_saga.itinerary)
    assert says in complaint


FULFILLED = (
    "saga.started",
    *("step.started reserve_parcel[1]", "step.started reserve_parcel[2]"),
    *("step.completed reserve_parcel[1]", "step.completed reserve_parcel[2]"),
    *("step.started authorize_payment", "step.completed authorize_payment"),
)


def test_branches_of_a_stage_are_compensated_in_any_order():
    told = (
        *(*FULFILLED, "saga.compensating", "step.compensating authorize_payment:undo"),
        *("step.compensating reserve_parcel[1]:undo", "step.compensating reserve_parcel[2]:undo"),
    )
    assert contradictions(history(*told), fulfilment_saga.itinerary) == []


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (
            (
                *(*FULFILLED, "saga.compensating", "step.compensating reserve_parcel[1]:undo"),
                *("step.compensating authorize_payment:undo",),
            ),
            "compensated in the order reserve_parcel[1]:undo, authorize_payment:undo",
        ),
        (
            (
                *(*FULFILLED, "step.started capture_payment", "step.completed capture_payment"),
                "saga.compensating",
            ),
            "saga.compensating past the point of no return",
        ),
    ],
)
def test_what_no_fulfilment_does_is_found(told, says):
    (complaint,) = contradictions(history(*told), fulfilment_saga.itinerary)
    assert says in complaint


@pytest.mark.parametrize(("may_lose", "passes"), [(True, True), (False, False)])
def test_a_loss_that_is_known_is_allowed_where_no_replica_is_waited_for(tmp_path, may_lose, passes):
    lost = [LostWrite(saga_id=ORDER.id, name="saga.started", record=None, at=1.0)]
    found = replace(verdict(order(status="lost")), lost=lost, may_lose=may_lose)
    assert found.passed is passes
    assert not replace(found, lost=()).passed
    text = printed(found, tmp_path)
    assert (
        "lost 1 transitions of 1 sagas that it had acknowledged; of 1 contradictions 1 are" in text
    )


CHILD = (
    *("saga.started", "step.started issue_invoice", "step.completed issue_invoice"),
    "saga.finished",
)
TURNED = (
    *(*CHILD, "saga.compensating"),
    *("step.compensating issue_invoice:undo", "step.compensated issue_invoice:undo"),
    "saga.finished",
)


def child(*told, status="completed", outcome="undone"):
    events = [
        replace(event, details={"outcome": outcome}) if event.name == "saga.compensating" else event
        for event in history(*told)
    ]
    return ChildVerdict(
        id="f-1.invoice", status=status, history=events, itinerary=invoice_saga.itinerary
    )


@pytest.mark.parametrize(
    "good",
    [child(*CHILD), child(*TURNED, status="compensated")],
    ids=["completed", "undone by its parent"],
)
def test_a_child_that_ended_is_consistent(good):
    assert good.complaints == []


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (child(*CHILD[:-1], status="running"), "f-1.invoice: the saga did not end: it is running"),
        (child(*TURNED[:-1]), "after its end: saga.compensating"),
        (child(*TURNED, outcome="failed"), "after its end: saga.compensating"),
        (child(*TURNED, "step.started split_tax"), "after its end: step.started"),
        (child(*CHILD, "step.completed split_tax"), "after its end: step.completed"),
    ],
    ids=["never ended", "its undo never ended", "turned by another", "went on", "late"],
)
def test_what_is_wrong_with_a_child_is_a_complaint_about_its_order(bad, says):
    (found,) = replace(order(), children=[bad]).complaints
    assert says in found


def test_a_child_is_undone_in_its_place():
    told = (
        *("saga.started", "step.started reserve_parcel[1]", "step.waiting invoice"),
        *("step.waited invoice", "saga.compensating"),
    )
    undone = ("step.compensating invoice:undo", "step.compensating reserve_parcel[1]:undo")
    assert contradictions(history(*told, *undone), fulfilment_saga.itinerary) == []
    (found,) = contradictions(history(*told, *reversed(undone)), fulfilment_saga.itinerary)
    assert "compensated in the order reserve_parcel[1]:undo, invoice:undo" in found


def answer(id_="one", *, granted=True, told="taken"):
    return Answer(id=id_, granted=granted, told=told)


def signalled(*ids, passed=True):
    noted = [
        Event(name="step.signalled", at=1.0, record="approval", details={"signal": each})
        for each in ids
    ]
    return [*noted, *(history("step.completed check_approval") if passed else [])]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([answer(told="kept")], signalled("one")),
        ([answer(), answer()], signalled("one")),
        ([answer(), answer("other", granted=False, told="refused")], signalled("one")),
        ([answer(granted=False)], signalled("one", passed=False)),
        ([answer(told="refused")], signalled(passed=False)),
    ],
    ids=["early", "twice", "rivals", "declined", "too late"],
)
def test_answers_that_the_history_has_are_right(answers, told):
    assert [*wrongly_told(answers, told)] == []


@pytest.mark.parametrize(
    ("answers", "told", "says"),
    [
        ([answer()], signalled(passed=False), "one was taken, and is not in the history"),
        ([answer(told="refused")], signalled("one"), "one was refused, and is in the history"),
        ([answer(), answer(told="kept")], signalled("one"), "was told kept and taken"),
        ([answer()], signalled("one", "one"), "one is noted 2 times"),
        ([answer(), answer("other")], signalled("one", "other"), "two answers were taken"),
        ([answer(granted=False)], signalled("one"), "it went on, and the answer was no"),
    ],
    ids=["lost", "kept though refused", "told twice", "noted twice", "two winners", "not heard"],
)
def test_answers_that_do_not_fit_the_history_are_found(answers, told, says):
    (found,) = {*wrongly_told(answers, told)}
    assert says in found
    whole = [*history("saga.started"), *told]
    assert found in replace(order(), history=whole, answers=answers).complaints
