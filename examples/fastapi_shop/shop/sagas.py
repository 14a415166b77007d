"""The saga of an order."""

from pydantic import BaseModel

from amends import Saga, Step, Wait
from shop import activities


class OrderResult(BaseModel):
    """What comes of it; while it runs, as far as it is."""

    outcome: str
    payment_id: int | None


approval = Wait(
    "approval",
    activities.Approval,
    when="input.needs_approval",
    timeout=3 * 86400.0,
    outcome="not_approved",
)

order_saga = Saga(
    "order",
    input=activities.OrderInput,
    output=OrderResult,
    steps=[
        Step(activities.accept_order, compensation=activities.reject_order),
        Step(
            activities.reserve_stock,
            compensation=activities.return_stock,
            outcome="sold_out",
        ),
        Step(activities.charge_card, compensation=activities.refund_card, outcome="unpaid"),
        approval,
        Step(activities.check_approval, compensation=None, outcome="not_approved"),
        Step(activities.confirm_order, compensation=None),
    ],
)
