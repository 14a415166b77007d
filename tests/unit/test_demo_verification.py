"""What is counted of payments through a bank without idempotency keys, and when that shows something."""

import io
from dataclasses import dataclass

import pytest
from rich.console import Console

from demo.sandbox import Ledger, LedgerEntry
from demo.verification import Charges, charges_of, print_judgement

RIGHT = Charges(once=9, more=0, missing=0, given_up=1)


@dataclass
class _Payment:
    outcome: str | None


def test_charges_are_counted_by_the_ledger():
    found = {"a": "completed", "b": "completed", "c": "completed", "d": "payment_failed", "e": None}
    charged = {"a": 1, "b": 3, "e": 1}
    ledger = Ledger({each: LedgerEntry(order_id=each, charges=n) for each, n in charged.items()})
    handles = {each: _Payment(outcome) for each, outcome in found.items()}
    assert charges_of(handles, ledger) == Charges(once=2, more=1, missing=1, given_up=1)


@pytest.mark.parametrize(
    ("verified", "unverified", "holds", "says"),
    [
        (RIGHT, Charges(once=7, more=3, missing=0, given_up=0), True, "without it 3 are"),
        (RIGHT, RIGHT, False, "NOTHING SHOWN"),
        (Charges(once=9, more=1, missing=0, given_up=0), RIGHT, False, "NOT CONSISTENT"),
        (Charges(once=9, more=0, missing=1, given_up=0), RIGHT, False, "NOT CONSISTENT"),
    ],
)
def test_it_holds_if_verify_alone_keeps_each_charge_single(verified, unverified, holds, says):
    paper = io.StringIO()
    assert print_judgement(verified, unverified, console=Console(file=paper, width=200)) is holds
    assert says in paper.getvalue()
