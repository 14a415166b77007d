"""The API. Errors of the saga log are answered by `add_sagas`."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, Field
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from amends import Handle, LogUnavailable, SagaStuck, Signalled, StepState
from amends.fastapi import add_sagas
from shop.activities import Approval, OrderInput
from shop.celery import app
from shop.database import Order, Product, State, sessions
from shop.sagas import OrderResult, approval, order_saga

EXPENSIVE = 100_000  # cents, from which on somebody has to approve
PATIENCE = 2.0  # seconds until a client is told to look later

api = FastAPI(title="Shop")
add_sagas(api, app)

OrderHandle = Annotated[
    Handle[OrderResult], Depends(order_saga.get_async)
]  # by the path's `saga_id`


class NewProduct(BaseModel):
    """A product to sell."""

    name: str
    price: int = Field(gt=0, description="Cents")
    stock: int = Field(ge=0)


class NewOrder(BaseModel):
    """What a customer says."""

    product_id: int
    quantity: int = Field(gt=0)
    card: str


class OrderView(BaseModel):
    """An order as its customer sees it."""

    order_id: UUID
    state: State
    cents: int


class Receipt(BaseModel):
    """What is known of a new order. `outcome` is null until it is decided."""

    order_id: UUID
    outcome: str | None = None
    payment_id: int | None = None


@api.post("/products", status_code=201)
async def add_product(given: NewProduct) -> int:
    """Sell a product."""
    async with sessions.begin() as session:
        product = Product(**given.model_dump())
        session.add(product)
    return product.id


@api.put("/orders/{order_id}", responses={202: {"model": Receipt}})
async def place_order(order_id: UUID, given: NewOrder, response: Response) -> Receipt:
    """Place an order, and answer once it is paid or rejected; or soon with 202, and where to look.

    The client chooses the id. A request that is repeated, as after a lost answer, is the same order.
    """
    async with sessions.begin() as session:  # committed before the wait, and before the answer
        handle = await start(session, order_id, given)
    try:
        early = handle and await handle.wait_async(timeout=PATIENCE, until="charge_card")
    except (TimeoutError, SagaStuck, LogUnavailable):  # the order is placed all the same
        early = None
    if early is None:
        response.status_code = 202
        response.headers["Location"] = f"/orders/{order_id}"
        return Receipt(order_id=order_id)
    return Receipt(order_id=order_id, outcome=early.outcome, payment_id=early.payment_id)


async def start(
    session: AsyncSession, order_id: UUID, given: NewOrder
) -> Handle[OrderResult] | None:
    """Write an order, and the start of its saga. Returns its handle; None for one that was placed before."""
    product = await session.get(Product, given.product_id)
    if product is None:
        raise HTTPException(422, f"there is no product {given.product_id}")
    cents = product.price * given.quantity
    row = insert(Order).values(id=order_id, cents=cents, **given.model_dump())
    if await session.scalar(row.on_conflict_do_nothing().returning(Order.id)) is None:
        order = await session.get_one(Order, order_id)
        if (order.product_id, order.quantity, order.card) != tuple(given.model_dump().values()):
            raise HTTPException(409, f"{order_id} is another order")
        return None
    order = OrderInput(
        order_id=order_id, cents=cents, needs_approval=cents >= EXPENSIVE, **given.model_dump()
    )
    return await order_saga.start_in(session, order, saga_id=order_id)


@api.get("/orders/{order_id}")
async def show_order(order_id: UUID) -> OrderView:
    """Show an order; from the database alone, so that it is answered while Redis is away."""
    async with sessions() as session:
        order = await session.get(Order, order_id)
    if order is None:
        raise HTTPException(404, f"there is no order {order_id}")
    return OrderView(order_id=order.id, state=order.state, cents=order.cents)


@api.get("/orders/{saga_id}/steps")
async def show_steps(handle: OrderHandle) -> dict[str, StepState]:
    """Show how far each step of an order is. What else a snapshot has, such as errors, is not for customers."""
    snapshot = await handle.snapshot_async()
    return {name: step.state for name, step in snapshot.steps.items()}


@api.put("/orders/{saga_id}/approval")
async def approve(
    handle: OrderHandle,
    given: Approval,
    idempotency_key: Annotated[str, Header(pattern="^[!-~]{1,128}$")],
) -> Signalled:
    """Approve an expensive order, or not. A request that is repeated under its key gets the first answer."""
    return await handle.signal_async(approval, given, id=idempotency_key, by=given.by)
