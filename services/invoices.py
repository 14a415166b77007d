"""Invoices: what an order is billed with, which can be cancelled."""

from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import APIRouter
from pydantic import BaseModel

from services.payments import Money
from services.receipts import Call, apply_once, find_effect, undo_once
from services.wire import IdempotencyKey, OpenDatabase, OrderRequest, PathKey, Service, Text, Undone

router = APIRouter(prefix="/invoices", tags=["invoices"])


class InvoiceRequest(OrderRequest):
    """Bill a user with these sums."""

    user_id: Text
    net: Money
    tax: Money
    currency: Text


class Invoice(BaseModel):
    """The answer to an invoice."""

    invoice_id: str


@router.post("", status_code=HTTPStatus.CREATED)
def issue(request: InvoiceRequest, key: IdempotencyKey, database: OpenDatabase) -> Invoice:
    """Issue the invoice."""
    call = Call.for_order(Service.INVOICES, key, request)
    answer = {"invoice_id": f"invoice-{uuid4().hex}"}
    with database.write() as connection:
        first = apply_once(connection, call, answer)
    return Invoice.model_validate(first)


@router.get("/{key:path}")
def find_invoice(key: PathKey, database: OpenDatabase) -> dict[str, Any]:
    """Show the invoice made under this key and whether it is in force; 404 without one."""
    with database.read() as connection:
        return find_effect(connection, Service.INVOICES, key)


@router.delete("/{key:path}")
def cancel(key: PathKey, database: OpenDatabase) -> Undone:
    """Cancel the invoice, once; without one, see to it that none will be made."""
    with database.write() as connection:
        undo_once(connection, Service.INVOICES, key)
    return Undone(key=key)
