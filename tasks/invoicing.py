"""Invoices: work out what an order is billed with, issue its invoice, or cancel it."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from pydantic import BaseModel

from amends import activity, context
from tasks import gateway
from tasks.money import Amount
from tasks.pace import COMPENSATION, STEP

_INVOICES: Final = "/invoices"

TAX_RATE: Final = Decimal("0.19")
"""The part of a net sum that is added to it as tax."""


class Bill(BaseModel):
    """Which order to bill; the total has the tax in it."""

    order_id: str
    user_id: str
    total_amount: Decimal
    currency: str


class Sums(BaseModel):
    """A total, taken apart."""

    net: Amount
    tax: Amount


class IssueInvoice(BaseModel):
    """What to bill whom with."""

    order_id: str
    user_id: str
    net: Amount
    tax: Amount
    currency: str


class Invoice(BaseModel):
    """An invoice that was issued."""

    invoice_id: str


@activity(queue="orders", start_to_close_timeout=10.0, retry=STEP)
def split_tax(bill: Bill) -> Sums:
    """Take the tax out of a total. Calls nobody."""
    net = (bill.total_amount / (1 + TAX_RATE)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return Sums(net=net, tax=bill.total_amount - net)


@activity(queue="payments", start_to_close_timeout=30.0, retry=STEP)
def issue_invoice(request: IssueInvoice) -> Invoice:
    """Issue the invoice of an order."""
    return Invoice.model_validate(gateway.post(_INVOICES, request.model_dump(mode="json")))


@activity(start_to_close_timeout=30.0, retry=COMPENSATION)
def cancel_invoice(request: IssueInvoice, invoice: Invoice | None) -> None:  # noqa: ARG001 - the key says which
    """Cancel an invoice; where there was none, see that there will be none."""
    gateway.delete(_INVOICES, context().undoes.idempotency_key)
