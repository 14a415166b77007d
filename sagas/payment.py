"""A payment alone: through the primary channel, or else through the fallback."""

from pydantic import BaseModel

from amends import Saga, Step
from tasks.payment import Channel, Charge, fallback_payment, primary_payment, refund_payment


class PaymentResult(BaseModel):
    """What came of a payment: also through which channel, and why through that one."""

    order_id: str
    outcome: str
    transaction_id: str | None
    error: str | None
    channel: Channel | None = None
    degraded: list[str] = []


payment_saga = Saga(
    "payment",
    input=Charge,
    output=PaymentResult,
    timeout=300.0,
    steps=[
        Step(
            primary_payment,
            fallback=fallback_payment,
            compensation=refund_payment,
            outcome="payment_failed",
        ),
    ],
)
