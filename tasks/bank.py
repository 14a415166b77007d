"""The bank: set money aside for an order, and take it.

An authorization has an idempotency key, and can be voided. A capture has neither: the bank takes the money at each call
anew. `find_capture` is what tells whether a call without an answer took it.
"""

from typing import Final

from pydantic import BaseModel

from amends import activity, context
from tasks import gateway
from tasks.money import Amount
from tasks.pace import COMPENSATION, ONWARD, STEP, paced_wait
from tasks.payment import Charge, InsufficientFunds, InvalidPaymentMethod

_AUTHORIZATIONS: Final = "/bank/authorizations"
_CAPTURES: Final = "/bank/captures"

SETTLES_WITHIN: Final = paced_wait(60.0)
"""Seconds after which the bank knows of every capture that was ever sent: also of one whose sender hung before."""


class Authorization(BaseModel):
    """Money that is set aside."""

    authorization_id: str


class CapturePayment(BaseModel):
    """Which authorized amount to take from whom."""

    order_id: str
    user_id: str
    amount: Amount
    currency: str
    authorization_id: str


class Capture(BaseModel):
    """Money that was taken."""

    capture_id: str


@activity(queue="payments", start_to_close_timeout=30.0, retry=STEP)
def authorize_payment(charge: Charge) -> Authorization:
    """Set an order's amount aside."""
    body, refusals = charge.model_dump(mode="json"), (InsufficientFunds, InvalidPaymentMethod)
    answer = gateway.post(_AUTHORIZATIONS, body, refusals=refusals)
    return Authorization.model_validate(answer)


@activity(start_to_close_timeout=30.0, retry=COMPENSATION)
def void_authorization(charge: Charge, authorization: Authorization | None) -> None:  # noqa: ARG001 - the key says which
    """Give up what was set aside; where nothing was, see that nothing will be."""
    gateway.delete(_AUTHORIZATIONS, context().undoes.idempotency_key)


@activity(queue="payments", start_to_close_timeout=30.0, retry=STEP)
def capture_payment(payment: CapturePayment) -> Capture:
    """Take the money: once for each call."""
    return Capture.model_validate(gateway.post(_CAPTURES, payment.model_dump(mode="json")))


@activity(queue="payments", start_to_close_timeout=30.0, retry=ONWARD)
def find_capture(payment: CapturePayment) -> Capture | None:
    """Ask whether the money of an order was taken."""
    found = gateway.get(_CAPTURES, order_id=payment.order_id)["captures"]
    return Capture.model_validate(found[0]) if found else None
