"""The package celery-saga, as its README sets it up: tasks with compensations, and state in Redis."""

import os
from typing import Any

from celery_saga import Saga, StepResponse, saga_step, set_default_backend
from celery_saga.backends import RedisSagaBackend
from celery_saga.state import SagaStatus

from benchmarks.contenders.application import application
from benchmarks.contenders.order import order_of
from benchmarks.stamps import stamp

app = application("celery_saga")
backend = RedisSagaBackend(url=os.environ["BENCH_LOG"])
set_default_backend(backend)


def _answer(**order: Any) -> StepResponse:
    return StepResponse(output={"receipt_id": f"receipt-{order['order_id']}"})


reserve, pay, ship = (
    saga_step(compensate=f"{__name__}.undo")(app.task(name=f"{__name__}.{name}")(_answer))
    for name in ("reserve", "pay", "ship")
)


@app.task
def validate(**order: Any) -> None:
    """Do nothing, as the others do."""


@app.task
def notify(**order: Any) -> None:
    """Note the end."""
    stamp(order["order_id"])


@app.task
def undo(compensation_data: Any) -> None:
    """Do nothing; no saga of the benchmark is compensated."""


saga = Saga("order").add_step(validate, no_compensation=True)
for step in (reserve, pay, ship):
    saga.add_step(step)
saga.add_step(notify, no_compensation=True)


def start(number: int) -> None:
    """Start one."""
    saga.run(**order_of(number))


def count_completed() -> int:
    """Count those that completed."""
    return sum(each.status == SagaStatus.COMPLETED for each in backend.list_all())
