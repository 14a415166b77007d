"""The saga of an order. Django finds this module, as it finds ``admin.py``."""

from pydantic import BaseModel

from amends import Saga, Step
from orders import tasks


class OrderResult(BaseModel):
    """What comes of it."""

    outcome: str


order_saga = Saga(
    "order",
    input=tasks.OrderInput,
    output=OrderResult,
    steps=[
        Step(tasks.accept_order, compensation=tasks.reject_order),
        Step(tasks.reserve_stock, compensation=tasks.return_stock, outcome="sold_out"),
        Step(tasks.charge_card, compensation=tasks.refund_card, outcome="unpaid"),
        Step(tasks.confirm_order, compensation=None),
    ],
)
