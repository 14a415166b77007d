"""Payments through a bank that ignores idempotency keys, and loses replies: ``make verification``.

The same payments run twice: with `verify`, by which the bank is asked before a capture is repeated, and without it. The
services' ledger counts how often each was charged.
"""

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import httpx
from pydantic import BaseModel
from rich.console import Console

from amends import Handle, Saga, Step
from demo.run import PATIENCE, PATIENCE_PER_ORDER, await_rest
from demo.sandbox import Ledger, faults_switched_on, read_ledger
from demo.system import System
from demo.verdict import count_table
from tasks.bank import (
    SETTLES_WITHIN,
    authorize_payment,
    capture_payment,
    find_capture,
    void_authorization,
)
from tasks.payment import Charge

CHUNK = 100
COLUMNS = ("once", "twice or more", "missing", "given up")


class CardPaymentResult(BaseModel):
    """What came of a payment."""

    outcome: str
    capture_id: str | None
    error: str | None


_AUTHORIZE = Step(authorize_payment, compensation=void_authorization, outcome="payment_failed")
verified_saga = Saga(
    "verified_payment",
    input=Charge,
    output=CardPaymentResult,
    steps=[
        _AUTHORIZE,
        Step(
            capture_payment,
            compensation=None,
            pivot=True,
            verify=find_capture,
            settle=SETTLES_WITHIN,
            outcome="payment_failed",
        ),
    ],
)
unverified_saga = Saga(
    "unverified_payment",
    input=Charge,
    output=CardPaymentResult,
    steps=[
        _AUTHORIZE,
        Step(capture_payment, compensation=None, pivot=True, outcome="payment_failed"),
    ],
)


@dataclass(frozen=True, kw_only=True)
class Charges:
    """How often the payments of a run were charged, by the ledger.

    `missing` are those that were not charged, although their sagas do not say so; `given_up` those that were not charged,
    and whose sagas failed.
    """

    once: int
    more: int
    missing: int
    given_up: int

    @property
    def figures(self) -> Sequence[int]:
        """The counts, in the order of the table."""
        return (self.once, self.more, self.missing, self.given_up)

    @property
    def is_right(self) -> bool:
        """Whether none was charged twice, and none is missing."""
        return not self.more and not self.missing


def run_verification(system: System, console: Console, *, count: int, lost: float) -> bool:
    """Run `count` payments with `verify` and without, losing this part of the replies; return whether `verify` alone holds."""
    faults = {"bank.captures": {"lost_reply_rate": lost, "error_rate": lost / 3}}
    console.print(
        f"{count} payments, twice: {lost:.0%} of the bank's replies are lost, and some of its calls fail before"
    )
    with httpx.Client(base_url=system.urls["SERVICES_URL"], timeout=60.0) as services:
        counted: dict[str, Charges] = {}
        with faults_switched_on(services, faults):
            for name, saga in (("with verify", verified_saga), ("without", unverified_saga)):
                console.print(name)
                began = time.monotonic()
                handles = _run(saga, count, system=system, console=console)
                elapsed = time.monotonic() - began
                counted[name] = charges_of(handles, read_ledger(services))
                console.print(f"{count} sagas in {elapsed:.1f} s")
    rows = {name: each.figures for name, each in counted.items()}
    console.print(count_table("charged", *COLUMNS, rows=rows))
    return print_judgement(counted["with verify"], counted["without"], console=console)


def charges_of(handles: Mapping[str, Handle[CardPaymentResult]], ledger: Ledger) -> Charges:
    """Count the charges of payments by the ledger, and where there is none, what the saga says of it."""
    counts = Counter(_kind(handle, ledger[each].charges) for each, handle in handles.items())
    return Charges(
        once=counts["once"],
        more=counts["more"],
        missing=counts["missing"],
        given_up=counts["given up"],
    )


def print_judgement(verified: Charges, unverified: Charges, *, console: Console) -> bool:
    """Print whether the payments with `verify` are right, and those without show that they might not be; return it."""
    if not verified.is_right:
        console.print("NOT CONSISTENT: with verify", style="bold red")
    elif unverified.is_right:
        console.print("NOTHING SHOWN: without verify all went well, too", style="bold red")
    else:
        console.print(
            f"with verify none was charged twice and none is missing; without it {unverified.more + unverified.missing} are",
            style="bold green",
        )
        return True
    return False


def _run(
    saga: Saga[Charge, CardPaymentResult], count: int, *, system: System, console: Console
) -> Mapping[str, Handle[CardPaymentResult]]:
    charges = list(_charges(count, series=secrets.token_hex(2)))
    handles: dict[str, Handle[CardPaymentResult]] = {}
    for first in range(0, count, CHUNK):
        chunk = charges[first : first + CHUNK]
        ids = [each.order_id for each in chunk]
        handles |= zip(ids, saga.start_many(chunk, saga_ids=ids), strict=True)
    timeout = PATIENCE + PATIENCE_PER_ORDER * count
    await_rest(handles, timeout=timeout, console=console, check=system.check)
    return handles


def _charges(count: int, *, series: str) -> Iterator[Charge]:
    for number in range(1, count + 1):
        yield Charge(
            order_id=f"payment-{series}-{number:04d}",
            user_id=f"user-{number:04d}",
            amount=Decimal("24.90"),
            currency="EUR",
        )


def _kind(handle: Handle[CardPaymentResult], charges: int) -> str:
    if charges:
        return "once" if charges == 1 else "more"
    return "given up" if handle.outcome == "payment_failed" else "missing"
