"""The package celery-saga, as its README sets it up: tasks with what undoes them, and state in Redis."""

from typing import Any

from celery_saga import Saga, StepResponse, saga_step, set_default_backend
from celery_saga.backends import RedisSagaBackend
from celery_saga.state import SagaStatus

from benchmarks.contenders.application import LOG, application, redis_url
from benchmarks.orders import order_of
from benchmarks.stamps import stamp

app = application("celery_saga")
backend = RedisSagaBackend(url=redis_url(LOG))
set_default_backend(backend)


@app.task
def validate(**order: Any) -> None:
    """Do nothing, as the others do."""


@saga_step(compensate="benchmarks.contenders.celery_saga_chain.undo")
@app.task
def reserve(**order: Any) -> StepResponse:
    """Do nothing."""
    return StepResponse(output={"reservation_id": f"reserved-{order['order_id']}"})


@saga_step(compensate="benchmarks.contenders.celery_saga_chain.undo")
@app.task
def pay(**order: Any) -> StepResponse:
    """Do nothing."""
    return StepResponse(output={"transaction_id": f"paid-{order['order_id']}"})


@saga_step(compensate="benchmarks.contenders.celery_saga_chain.undo")
@app.task
def ship(**order: Any) -> StepResponse:
    """Do nothing."""
    return StepResponse(output={"shipment_id": f"shipped-{order['order_id']}"})


@app.task
def notify(**order: Any) -> None:
    """Note the end."""
    stamp(order["order_id"])


@app.task
def undo(compensation_data: Any) -> None:
    """Do nothing; no saga of the benchmark comes to it."""


saga = (
    Saga("order")
    .add_step(validate, no_compensation=True)
    .add_step(reserve)
    .add_step(pay)
    .add_step(ship)
    .add_step(notify, no_compensation=True)
)


def start(number: int) -> None:
    """Start one."""
    saga.run(**order_of(number))


def count_completed() -> int:
    """Count those that completed."""
    return sum(each.status == SagaStatus.COMPLETED for each in backend.list_all())
