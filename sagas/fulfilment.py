"""A fulfilment: an order that is approved, reserved, invoiced, paid for and shipped in parcels.

Up to the capture everything is undone when something fails. From there on nothing is: what is paid for gets shipped.
"""

from typing import Final

from pydantic import BaseModel

from amends import Child, Delay, Each, Parallel, Saga, Step, Wait
from sagas.invoice import invoice_saga
from sagas.order import DISPATCH
from tasks.bank import (
    SETTLES_WITHIN,
    authorize_payment,
    capture_payment,
    find_capture,
    void_authorization,
)
from tasks.inventory import (
    InsufficientStock,
    release_parcel,
    reserve_parcel,
    unwrap_gift,
    wrap_gift,
)
from tasks.notification import notify_of_parcels
from tasks.orders import Approval, Fulfilment, check_approval, validate_fulfilment
from tasks.risk import score_risk
from tasks.shipping import Shipment, ship_parcel

APPROVAL_WITHIN: Final = 86400.0
"""Seconds in which a person has to approve of a large order."""

_NEEDS_APPROVAL: Final = "validate_fulfilment.needs_approval"


class FulfilmentResult(BaseModel):
    """What came of a fulfilment. The ids are of what was done, also where it was undone later."""

    order_id: str
    outcome: str
    authorization_id: str | None
    invoice_id: str | None
    capture_id: str | None
    shipments: list[Shipment | None]
    error: str | None
    degraded: list[str] = []


fulfilment_saga = Saga(
    "fulfilment",
    input=Fulfilment,
    output=FulfilmentResult,
    timeout=2 * APPROVAL_WITHIN,
    dispatch=DISPATCH,
    search={"customer": "input.user_id"},
    outputs={"shipments": "ship_parcel"},
    steps=[
        Step(validate_fulfilment, compensation=None, outcome="validation_failed"),
        Wait(
            "approval",
            Approval,
            when=_NEEDS_APPROVAL,
            timeout=APPROVAL_WITHIN,
            outcome="not_approved",
        ),
        Step(check_approval, compensation=None, when=_NEEDS_APPROVAL, outcome="not_approved"),
        Each(
            "input.parcels",
            Step(
                reserve_parcel,
                compensation=release_parcel,
                inputs={"items": "item.items"},
                outcome={InsufficientStock: "out_of_stock", Exception: "reservation_failed"},
            ),
            concurrency=4,
        ),
        Parallel(
            Step(score_risk, compensation=None, outcome="too_risky"),
            Step(
                authorize_payment,
                compensation=void_authorization,
                inputs={"amount": "input.total_amount"},
                outcome="payment_failed",
            ),
        ),
        Step(
            wrap_gift,
            compensation=unwrap_gift,
            when="input.gift",
            outcome={InsufficientStock: "out_of_stock", Exception: "reservation_failed"},
        ),
        Child(invoice_saga, outcome="not_invoiced"),
        Step(
            capture_payment,
            compensation=None,
            pivot=True,
            verify=find_capture,
            settle=SETTLES_WITHIN,
            inputs={"amount": "input.total_amount"},
            outcome="payment_failed",
        ),
        Each("input.parcels", Step(ship_parcel, inputs={"items": "item.items"}), concurrency=4),
        Delay(until="input.deliver_at", name="day_of_delivery"),
        Step(notify_of_parcels, inputs={"shipments": "ship_parcel"}, on_failure="continue"),
    ],
)
