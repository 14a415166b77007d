"""An invoice: a saga of its own, which a fulfilment has as a step."""

from pydantic import BaseModel

from amends import Saga, Step
from sagas.order import DISPATCH
from tasks.invoicing import Bill, cancel_invoice, issue_invoice, split_tax


class InvoiceResult(BaseModel):
    """What came of an invoice. The id is of what was issued, also where it was cancelled later."""

    outcome: str
    invoice_id: str | None
    error: str | None


invoice_saga = Saga(
    "invoice",
    input=Bill,
    output=InvoiceResult,
    timeout=900.0,
    dispatch=DISPATCH,
    steps=[
        Step(split_tax, compensation=None, outcome="not_invoiced"),
        Step(issue_invoice, compensation=cancel_invoice, outcome="not_invoiced"),
    ],
)
