"""The risk of an order: what nobody looked at is not sold above a limit."""

from decimal import Decimal
from typing import Final

from pydantic import BaseModel

from amends import Refused, activity
from tasks.pace import STEP

LIMIT: Final = Decimal(1000)


class RiskRequest(BaseModel):
    """What the risk is judged by."""

    order_id: str
    total_amount: Decimal


class RiskScore(BaseModel):
    """The risk, from 0 to 100."""

    score: int


class TooRisky(Refused):
    """The risk is too high to go on."""


@activity(queue="orders", start_to_close_timeout=10.0, retry=STEP)
def score_risk(request: RiskRequest) -> RiskScore:
    """Judge the risk by the amount. Calls nobody."""
    if request.total_amount > LIMIT:
        raise TooRisky(f"{request.total_amount} is above the limit of {LIMIT}")
    return RiskScore(score=int(100 * request.total_amount / LIMIT))
