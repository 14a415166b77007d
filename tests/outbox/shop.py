"""The shop: orders in a PostgreSQL, and a saga for each, for ``celery -A``. LOG, BROKER and DATABASE say where all is."""

import os
from typing import Final

from celery import Celery
from pydantic import BaseModel
from sqlalchemy import Column, MetaData, String, Table, create_engine, insert
from sqlalchemy.pool import NullPool

from amends import Saga, Step, activity, context
from amends.barrier import barrier
from amends.barrier.sqlalchemy_table import barrier_table
from amends.outbox.sqlalchemy_table import outbox_table

metadata = MetaData()
barrier_table(metadata)
outbox_table(metadata)
orders = Table("orders", metadata, Column("order_id", String(64), primary_key=True))
effects = Table("effects", metadata, Column("step", String(16)), Column("order_id", String(64)))


class Order(BaseModel):
    order_id: str


class Receipt(BaseModel):
    outcome: str


def make_app() -> Celery:
    """Make the app; FAST_PATH=0 leaves the fast path."""
    app = Celery("shop", broker=os.environ["BROKER"])
    app.conf.update(
        amends_backend=os.environ["LOG"],
        amends_outbox_url=os.environ["OUTBOX"],
        amends_sweep_interval=1.0,
        amends_fast_path=os.environ.get("FAST_PATH", "1") == "1",
    )
    return app


def note(order: Order) -> None:
    """Note the effect of a step, once for its idempotency key."""
    engine = create_engine(f"postgresql+psycopg://{os.environ['DATABASE']}", poolclass=NullPool)
    key = context().idempotency_key
    with engine.begin() as connection, barrier(connection, key) as first:
        if first:
            values = {"step": context().step, "order_id": order.order_id}
            connection.execute(insert(effects).values(values))


@activity
def charge(order: Order) -> None:
    """Charge the order's price."""
    note(order)


@activity
def refund(order: Order, nothing: None) -> None:
    """Take the charge back."""
    note(order)


@activity
def ship(order: Order) -> None:
    """Ship the order."""
    note(order)


STEPS: Final = [Step(charge, compensation=refund), Step(ship, compensation=None)]
sagas = {
    dispatch: Saga(f"order_{dispatch}", input=Order, output=Receipt, steps=STEPS, dispatch=dispatch)
    for dispatch in ("chain", "inline")
}

if "LOG" in os.environ:
    app = make_app()
    app.set_default()
