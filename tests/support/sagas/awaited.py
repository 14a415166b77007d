"""A saga whose activities are ``async def``, with a wait for an approval, on chain and inline."""

import asyncio
import threading
from collections import defaultdict
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from pydantic import BaseModel

from amends import Context, Refused, RetryPolicy, Saga, Step, Wait, activity, context

QUICK = RetryPolicy(max_attempts=2, initial_interval=0.01, jitter=0.0)


class Order(BaseModel):
    order_id: str
    manner: str = "quick"


class Receipt(BaseModel):
    receipt: str


class Approval(BaseModel):
    granted_by: str = "ada"


class OrderResult(BaseModel):
    outcome: str
    receipt: str | None
    granted_by: str | None


class Seen:
    """What activities saw, by the order: each one's context, and its thread and loop."""

    def __init__(self) -> None:
        self.contexts: defaultdict[str, list[Context]] = defaultdict(list)
        self.loops: defaultdict[int, set[asyncio.AbstractEventLoop]] = defaultdict(set)
        self.interrupted: list[str] = []

    def note(self, order: Order) -> None:
        self.contexts[order.order_id].append(context())
        self.loops[threading.get_ident()].add(asyncio.get_running_loop())


seen = Seen()


@activity(retry=QUICK, start_to_close_timeout=5.0)
async def charge(order: Order) -> Receipt:
    """Charge in the manner that is asked for, at the first attempt."""
    seen.note(order)
    await asyncio.sleep(0)
    seen.note(order)
    if context().attempt == 1 and order.manner == "away":
        raise ConnectionError("the service is away")
    if order.manner == "refused":
        raise Refused("no money")
    return Receipt(receipt=f"paid {order.order_id}")


@activity(retry=QUICK)
async def refund(order: Order, receipt: Receipt | None) -> None:
    await asyncio.sleep(0)
    seen.note(order)


@activity(retry=QUICK, start_to_close_timeout=0.2)
async def pack(order: Order) -> None:
    """Take too long at the first attempt, if asked to."""
    seen.note(order)
    if order.manner == "slow" and context().attempt == 1:
        try:
            await asyncio.Event().wait()
        except SoftTimeLimitExceeded:
            seen.interrupted.append(order.order_id)
            raise


@activity
def ship(order: Order) -> None:
    """Ship it; this one is no coroutine."""
    if order.manner == "unshippable":
        raise Refused("no such address")


def _order_saga(dispatch: Any) -> Saga[Order, OrderResult]:
    return Saga(
        f"awaited_{dispatch}",
        input=Order,
        output=OrderResult,
        dispatch=dispatch,
        search={"order": "input.order_id"},
        steps=[
            Step(charge, compensation=refund, outcome="refused"),
            Step(pack, compensation=None),
            Wait("approval", Approval),
            Step(ship, compensation=None),
        ],
    )


order_sagas = {dispatch: _order_saga(dispatch) for dispatch in ("chain", "inline")}
