"""What a saga does, step by step: activities, each with its undo.

Each makes its effect behind the barrier, in one transaction with the barrier's row. So it is made once, however often the
activity runs, and an undo that comes first keeps it from being made at all.
"""

from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import update

from amends import Refused, activity, context
from amends.barrier import barrier, undoing
from shop.database import Order, Payment, Product, State, sessions


class OrderInput(BaseModel):
    """What the saga of an order is given."""

    order_id: UUID
    product_id: int
    quantity: int
    card: str
    cents: int
    needs_approval: bool


class Charge(BaseModel):
    """What was paid."""

    payment_id: int


class Approval(BaseModel):
    """What somebody says of an expensive order."""

    granted: bool
    by: str


class Decision(BaseModel):
    """The same as a step reads it: of an order that is not expensive there is none."""

    granted: bool | None


async def set_state(order: OrderInput, state: State) -> None:
    """Move an order to a state; done twice it is the same."""
    async with sessions.begin() as session:
        await session.execute(update(Order).where(Order.id == order.order_id).values(state=state))


@activity
async def accept_order(order: OrderInput) -> None:
    """Do nothing: the order is there. Its undo says what became of it."""


@activity
async def reject_order(order: OrderInput, accepted: None) -> None:
    """Mark the order as rejected."""
    await set_state(order, State.REJECTED)


@activity
async def reserve_stock(order: OrderInput) -> None:
    """Take the products out of the stock, or refuse if there are too few."""
    async with (
        sessions.begin() as session,
        barrier(session, context().idempotency_key) as first,
    ):
        if first:
            enough = (Product.id == order.product_id) & (Product.stock >= order.quantity)
            taking = update(Product).where(enough).values(stock=Product.stock - order.quantity)
            if (await session.execute(taking)).rowcount == 0:
                raise Refused("sold out")


@activity
async def return_stock(order: OrderInput, reserved: None) -> None:
    """Put them back, if they were taken."""
    async with (
        sessions.begin() as session,
        undoing(session, context().undoes.idempotency_key) as took_effect,
    ):
        if took_effect:
            product = await session.get_one(Product, order.product_id, with_for_update=True)
            product.stock += order.quantity


@activity
async def charge_card(order: OrderInput) -> Charge:
    """Charge the card, or refuse. A repeated call answers as the first one did."""
    async with (
        sessions.begin() as session,
        barrier(session, context().idempotency_key) as first,
    ):
        if first:
            if order.card == "declined":
                raise Refused("the card is declined")
            payment = Payment(order_id=order.order_id, cents=order.cents)
            session.add(payment)
            await session.flush()
            first.keep({"payment_id": payment.id})
    return Charge.model_validate(first.answer)


@activity
async def refund_card(order: OrderInput, charge: Charge | None) -> None:
    """Pay it back, if it was charged."""
    async with (
        sessions.begin() as session,
        undoing(session, context().undoes.idempotency_key) as took_effect,
    ):
        if took_effect:
            session.add(Payment(order_id=order.order_id, cents=-order.cents))


@activity
async def check_approval(decision: Decision) -> None:
    """Refuse an order that was not approved."""
    if decision.granted is False:
        raise Refused("it was not approved")


@activity
async def confirm_order(order: OrderInput) -> None:
    """Mark the order as confirmed."""
    await set_state(order, State.CONFIRMED)
