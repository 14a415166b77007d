"""The nightly settlement: what the day's orders were charged, held against the ledger."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from celery.schedules import crontab
from pydantic import BaseModel

from amends import Saga, Schedule, Step
from tasks.settlement import Settlement, check_settlement, reopen_orders, settle_orders


class SettlementResult(BaseModel):
    """What came of a day's settlement."""

    day: date
    outcome: str
    settlement_id: str | None
    orders: int | None
    charged: Decimal | None
    error: str | None


settlement_saga = Saga(
    "settlement",
    input=Settlement,
    output=SettlementResult,
    timeout=3600.0,
    steps=[
        Step(settle_orders, compensation=reopen_orders, outcome="not_settled"),
        Step(check_settlement, compensation=None, outcome="ledger_differs"),
    ],
)


def day_before(tick: datetime) -> Settlement:
    """Return the input of a night's settlement: the day that has ended."""
    return Settlement(day=tick.date() - timedelta(days=1))


nightly_settlement = Schedule(
    "settlement",
    settlement_saga,
    cron=crontab(minute=30, hour=1),
    time_zone="Europe/Berlin",
    input=day_before,
    overlap="queue",
    catch_up=2 * 86400.0,
)
