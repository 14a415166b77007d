"""What a saga does, step by step: activities, each with its undo.

Each makes its effect behind the barrier, in one transaction with the barrier's row. So it is made once, however often the
activity runs, and an undo that comes first keeps it from being made at all.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import F
from pydantic import BaseModel

from amends import Refused, activity, context
from amends.barrier import barrier, undoing
from orders.models import Order, Payment, Product


class OrderInput(BaseModel):
    """What the saga of an order is given."""

    order_id: UUID
    product_id: int
    quantity: int
    card: str
    cents: int


class Charge(BaseModel):
    """What was paid."""

    payment_id: int


@activity
def accept_order(order: OrderInput) -> None:
    """Do nothing: the order is there. Its undo says what became of it."""


@activity
def reject_order(order: OrderInput, accepted: None) -> None:
    """Mark the order as rejected; done twice it is the same."""
    Order.objects.filter(pk=order.order_id).update(state=Order.State.REJECTED)


@activity
def reserve_stock(order: OrderInput) -> None:
    """Take the products out of the stock, or refuse if there are too few."""
    with transaction.atomic(), barrier("default", context().idempotency_key) as first:
        if first:
            left = Product.objects.filter(pk=order.product_id, stock__gte=order.quantity)
            if not left.update(stock=F("stock") - order.quantity):
                raise Refused("sold out")


@activity
def return_stock(order: OrderInput, reserved: None) -> None:
    """Put them back, if they were taken."""
    with (
        transaction.atomic(),
        undoing("default", context().undoes.idempotency_key) as took_effect,
    ):
        if took_effect:
            product = Product.objects.filter(pk=order.product_id)
            product.update(stock=F("stock") + order.quantity)


@activity
def charge_card(order: OrderInput) -> Charge:
    """Charge the card, or refuse. A repeated call answers as the first one did."""
    with transaction.atomic(), barrier("default", context().idempotency_key) as first:
        if first:
            if order.card == "declined":
                raise Refused("the card is declined")
            payment = Payment.objects.create(order_id=order.order_id, cents=order.cents)
            first.keep({"payment_id": payment.pk})
    return Charge.model_validate(first.answer)


@activity
def refund_card(order: OrderInput, charge: Charge | None) -> None:
    """Pay it back, if it was charged."""
    with (
        transaction.atomic(),
        undoing("default", context().undoes.idempotency_key) as took_effect,
    ):
        if took_effect:
            Payment.objects.create(order_id=order.order_id, cents=-order.cents)


@activity
def confirm_order(order: OrderInput) -> None:
    """Mark the order as confirmed; done twice it is the same."""
    Order.objects.filter(pk=order.order_id).update(state=Order.State.CONFIRMED)
