"""The payment service: charge an order through one of two channels, or refund it."""

from typing import Final, Literal

from pydantic import BaseModel

from amends import CircuitBreaker, Refused, RetryPolicy, activity, context
from tasks import gateway
from tasks.money import Amount
from tasks.pace import COMPENSATION, STEP, paced, paced_wait

Channel = Literal["primary", "fallback"]


class Charge(BaseModel):
    """What to charge to whom."""

    order_id: str
    user_id: str
    amount: Amount
    currency: str


class Payment(BaseModel):
    """A charge that was made, and the channel that made it."""

    transaction_id: str
    channel: Channel | None = None


class InsufficientFunds(Refused):
    """The customer does not have the money."""


class InvalidPaymentMethod(Refused):
    """The customer's means of payment is not valid."""


_REFUSALS: Final = (InsufficientFunds, InvalidPaymentMethod)


primary = CircuitBreaker(
    "payments.primary", failure_on=gateway.FAILURES, reset_timeout=paced_wait(60.0)
)
"""Before every charge through the primary channel; never before a refund, which has to get there."""


@activity(
    queue="payments",
    start_to_close_timeout=60.0,
    breaker=primary,
    on_circuit_open="fallback",
    retry=paced(
        RetryPolicy(
            max_attempts=3, initial_interval=2.0, max_interval=10.0, backoff_coefficient=2.0
        )
    ),
)
def process_payment(charge: Charge) -> Payment:
    """Charge an order through the primary channel."""
    return _charge("primary", charge)


@activity(
    queue="payments",
    start_to_close_timeout=30.0,
    breaker=primary,
    on_circuit_open="fallback",
    retry=paced(
        RetryPolicy(max_attempts=2, initial_interval=1.0, max_interval=5.0, backoff_coefficient=2.0)
    ),
)
def primary_payment(charge: Charge) -> Payment:
    """Charge through the primary channel, soon leaving it to the fallback."""
    return _charge("primary", charge)


@activity(queue="payments", start_to_close_timeout=30.0, retry=STEP)
def fallback_payment(charge: Charge) -> Payment:
    """Charge through the other channel."""
    return _charge("fallback", charge)


@activity(start_to_close_timeout=30.0, retry=COMPENSATION)
def refund_payment(charge: Charge, payment: Payment | None) -> None:  # noqa: ARG001 - the key says which
    """Refund a charge through the channel that made it, or see that it will never be made."""
    undoes = context().undoes
    channel: Channel = "fallback" if undoes.activity == fallback_payment.name else "primary"
    gateway.delete(_charges(channel), undoes.idempotency_key)


def _charge(channel: Channel, charge: Charge) -> Payment:
    answer = gateway.post(_charges(channel), charge.model_dump(mode="json"), refusals=_REFUSALS)
    return Payment.model_validate({**answer, "channel": channel})


def _charges(channel: Channel) -> str:
    return f"/payments/{channel}/charges"
