"""The demo's verdict: which ledger entries fit which outcome."""

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from demo.fulfilments import fulfilment_stock_for, plan_fulfilments
from demo.orders import PlannedOrder, plan_orders, stock_for
from demo.sandbox import LedgerEntry
from demo.verdict import OrderRecord, differences, outcomes_table, print_wrong
from tasks.orders import Order, OrderItem

ORDER = PlannedOrder(
    order=Order(
        order_id="order-1",
        user_id="user-1",
        items=[
            OrderItem(product_id="cup", quantity=2, price=Decimal("7.50")),
            OrderItem(product_id="tray", quantity=1, price=Decimal("18.00")),
        ],
        total_amount=Decimal("33.00"),
        shipping_address="1 Harbour Street",
    ),
    expected="completed",
)
DONE = LedgerEntry(
    order_id="order-1",
    reserved={"cup": 2, "tray": 1},
    charged=Decimal("33.00"),
    charges=1,
    shipments=1,
    notifications=1,
)
UNDONE = LedgerEntry(order_id="order-1", reserved={"cup": 0}, charges=2, refunds=2)
UNTOUCHED = LedgerEntry(order_id="order-1")


@pytest.mark.parametrize(
    "entry",
    [
        DONE,
        DONE.model_copy(update={"notifications": 0}),
        DONE.model_copy(update={"charges": 2, "refunds": 1}),
    ],
    ids=["each effect once", "nobody was told", "a channel was voided before the other charged"],
)
def test_a_completed_order_has_each_effect_once(entry: LedgerEntry) -> None:
    assert differences(ORDER, "completed", entry) == []


@pytest.mark.parametrize("entry", [UNDONE, UNTOUCHED], ids=["undone", "untouched"])
def test_any_other_order_has_nothing_in_force(entry: LedgerEntry) -> None:
    assert differences(ORDER, "payment_failed", entry) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"reserved": {"cup": 2}}, "reserved"),
        ({"reserved": {"cup": 2, "tray": 1, "teapot": 1}}, "reserved"),
        ({"charged": Decimal("32.99")}, "charged"),
        ({"charges": 2}, "charges less refunds"),
        ({"shipments": 0}, "shipments"),
        ({"notifications": 2}, "notifications"),
        ({"duplicates": 1}, "duplicates"),
    ],
)
def test_a_completed_order_that_lacks_or_repeats_something_is_named(
    change: dict[str, object], complaint: str
) -> None:
    (found,) = differences(ORDER, "completed", DONE.model_copy(update=change))
    assert found.startswith(f"{complaint}: ")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"reserved": {"cup": 2}}, "reserved"),
        ({"charged": Decimal("33.00")}, "charged"),
        ({"charges": 1}, "charges less refunds"),
        ({"shipments": 1}, "shipments"),
        ({"duplicates": 1}, "duplicates"),
    ],
)
def test_anything_left_of_an_order_that_did_not_complete_is_named(
    change: dict[str, object], complaint: str
) -> None:
    (found,) = differences(ORDER, "shipment_failed", UNTOUCHED.model_copy(update=change))
    assert found.startswith(f"{complaint}: ")


def test_the_plan_holds_every_outcome_and_reaches_it_by_its_own_numbers() -> None:
    orders = plan_orders(40, series="t")
    assert {order.expected for order in orders} == {
        "completed",
        "validation_failed",
        "out_of_stock",
        "payment_failed",
        "shipment_failed",
    }
    assert len({order.id for order in orders}) == 40
    for planned in orders:
        order = planned.order
        total = sum((item.price * item.quantity for item in order.items), start=Decimal(0))
        assert (total == order.total_amount) is (planned.expected != "validation_failed")


def test_the_stock_is_enough_for_all_orders_but_those_planned_to_find_none() -> None:
    orders = plan_orders(50, series="t")
    for product, stock in stock_for(50).items():
        asked = [order.units.get(product, 0) for order in orders]
        if stock:
            assert sum(asked) <= stock
        else:
            assert {
                order.expected for order, units in zip(orders, asked, strict=True) if units
            } == {"out_of_stock"}


FULFILMENT = plan_fulfilments(1, series="t")[0]
FULFILLED = LedgerEntry(
    order_id=FULFILMENT.id,
    reserved=FULFILMENT.units,
    charged=FULFILMENT.order.total_amount,
    charges=1,
    authorizations=1,
    invoices=1,
    shipments=2,
)


def test_a_completed_fulfilment_has_each_parcel_and_its_wrapping_once():
    assert FULFILMENT.units["gift-wrap"] == 1
    assert differences(FULFILMENT, "completed", FULFILLED) == []
    assert differences(FULFILMENT, "too_risky", LedgerEntry(order_id=FULFILMENT.id)) == []


@pytest.mark.parametrize(
    ("outcome", "change", "complaints"),
    [
        ("completed", {"charges": 2, "duplicates": 1}, ["charges less refunds", "duplicates"]),
        (
            "completed",
            {"charges": 0, "charged": Decimal(0)},
            ["charged", "charges less refunds"],
        ),
        ("completed", {"shipments": 1}, ["shipments"]),
        ("completed", {"authorizations": 0}, ["authorizations"]),
        ("completed", {"invoices": 0}, ["invoices"]),
        ("completed", {"reserved": {}}, ["reserved"]),
        (
            "payment_failed",
            {"charges": 0, "charged": Decimal(0), "shipments": 0},
            ["reserved", "authorizations", "invoices"],
        ),
        (
            "payment_failed",
            {
                "charges": 0,
                "charged": Decimal(0),
                "authorizations": 0,
                "invoices": 0,
                "reserved": {},
            },
            ["shipments"],
        ),
    ],
    ids=[
        "charged twice",
        "shipped without a charge",
        "a parcel is missing",
        "no authorization",
        "no invoice",
        "nothing reserved",
        "not released, not voided, not cancelled",
        "shipped, and refused",
    ],
)
def test_a_fulfilment_that_lacks_or_repeats_something_is_named(outcome, change, complaints):
    found = differences(FULFILMENT, outcome, FULFILLED.model_copy(update=change))
    assert [each.partition(":")[0] for each in found] == complaints


def test_the_fulfilments_hold_every_outcome_and_find_their_stock():
    planned = plan_fulfilments(30, series="t")
    assert {each.expected for each in planned} == {
        *("completed", "validation_failed", "not_approved", "out_of_stock", "too_risky"),
        "payment_failed",
    }
    assert {len(each.order.parcels) for each in planned} >= {1, 2, 3}
    for product, stock in fulfilment_stock_for(30).items():
        asked = [each.units.get(product, 0) for each in planned]
        assert (sum(asked) <= stock) is bool(stock)


def judged(*records: OrderRecord) -> tuple[bool, str]:
    paper = io.StringIO()
    console = Console(file=paper, width=120)
    console.print(outcomes_table(records))
    is_wrong = print_wrong(records, console)
    return not is_wrong, paper.getvalue()


GOOD = OrderRecord(planned=ORDER, status="completed", outcome="completed", entry=DONE)


def test_the_report_counts_and_approves_what_is_consistent() -> None:
    refused = OrderRecord(
        planned=replace(ORDER, expected="payment_failed"),
        status="compensated",
        outcome="payment_failed",
        entry=UNTOUCHED,
    )
    verdict, paper = judged(GOOD, refused)
    assert verdict
    assert "payment_failed" in paper


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"entry": UNDONE}, "order-1 (completed): reserved: {}, expected {'cup': 2, 'tray': 1}"),
        ({"status": "stuck", "outcome": None}, "order-1 (stuck): the saga did not end"),
        ({"status": None, "outcome": None}, "order-1 (not started): the saga was never started"),
        ({"status": "compensated"}, "the saga is compensated with the outcome completed"),
    ],
)
def test_the_report_names_an_order_that_is_wrong(wrong: dict[str, object], says: str) -> None:
    verdict, paper = judged(GOOD, replace(GOOD, **wrong))
    assert not verdict
    assert says in paper
    assert "NOT CONSISTENT: 1 of 2 orders" in paper
