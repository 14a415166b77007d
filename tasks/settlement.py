"""Settling what orders were charged: once for each day."""

from datetime import date
from decimal import Decimal

from pydantic import BaseModel

from amends import Refused, activity, context
from tasks import gateway
from tasks.pace import COMPENSATION, STEP

_SETTLEMENTS = "/settlements"


class Settlement(BaseModel):
    """The day that is settled."""

    day: date


class SettledOrders(BaseModel):
    """A settlement: how many orders, and what they were charged together."""

    settlement_id: str
    orders: int
    charged: Decimal


class SettlementCheck(BaseModel):
    """The settlement that is held against the ledger."""

    settlement_id: str
    charged: Decimal


class LedgerDiffers(Refused):
    """The ledger has another sum for the orders of a settlement, as where one was paid back meanwhile."""


@activity(queue="payments", start_to_close_timeout=60.0, retry=STEP)
def settle_orders(settlement: Settlement) -> SettledOrders:
    """Settle what was charged and is in no settlement yet."""
    answer = gateway.post(_SETTLEMENTS, settlement.model_dump(mode="json"))
    return SettledOrders.model_validate(answer)


@activity(start_to_close_timeout=60.0, retry=COMPENSATION)
def reopen_orders(settlement: Settlement, settled: SettledOrders | None) -> None:  # noqa: ARG001 - the key says which
    """Take a settlement back: its orders are in the next one."""
    gateway.delete(_SETTLEMENTS, context().undoes.idempotency_key)


@activity(queue="payments", start_to_close_timeout=60.0, retry=STEP)
def check_settlement(check: SettlementCheck) -> None:
    """Hold a settlement against the ledger."""
    found = gateway.get(f"{_SETTLEMENTS}/{check.settlement_id}")
    if Decimal(found["in_ledger"]) != check.charged:
        raise LedgerDiffers(
            f"{check.settlement_id} has {check.charged}, and the ledger {found['in_ledger']}"
        )
