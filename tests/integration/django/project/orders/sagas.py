"""Sagas whose steps ask the database, and whose connection ends between two of them."""

import os
from datetime import datetime

import psycopg
from asgiref.sync import sync_to_async
from django.db import connection
from pydantic import BaseModel

from amends import Refused, RetryPolicy, Saga, Schedule, Step, activity
from orders.models import Order

patient = RetryPolicy(initial_interval=0.2, max_attempts=5)


class OrderInput(BaseModel):
    number: int


class Result(BaseModel):
    outcome: str


def end_connection(pid: int) -> None:
    """End a connection as a server does that is restarted."""
    at = f"postgresql://nobody@127.0.0.1:{os.environ['POSTGRES_PORT']}/postgres"
    with psycopg.connect(at, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def backend_pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [(pid,)] = cursor.fetchall()
    return pid


@activity(retry=patient)
def note(order: OrderInput) -> None:
    end_connection(backend_pid())


@activity(retry=patient)
def look(order: OrderInput) -> None:
    Order.objects.count()


@activity(retry=patient)
async def note_later(order: OrderInput) -> None:
    end_connection(await sync_to_async(backend_pid)())


@activity(retry=patient)
async def look_later(order: OrderInput) -> None:
    await Order.objects.acount()


@activity
def charge(order: OrderInput) -> None:
    if order.number % 3 == 0:
        raise Refused("<b>no money</b>")


@activity
def reserve(order: OrderInput) -> None: ...


@activity
def release(order: OrderInput, reserved: None) -> None:
    if order.number % 2 == 0:
        raise Refused("the warehouse is closed")


looks = {
    f"{dispatch}{kind}": Saga(
        f"looks_{dispatch}{kind}",
        input=OrderInput,
        output=Result,
        dispatch=dispatch,
        steps=[
            Step(noting, compensation=None, name="note"),
            Step(looking, compensation=None, name="look"),
            Step(noting, compensation=None, name="note_again"),
            Step(looking, compensation=None, name="look_again"),
        ],
    )
    for dispatch in ("chain", "inline")
    for kind, noting, looking in (("", note, look), ("_async", note_later, look_later))
}
purchase_saga = Saga(
    "purchase",
    input=OrderInput,
    output=Result,
    steps=[Step(reserve, compensation=release), Step(charge, compensation=None, outcome="unpaid")],
)
counted_saga = Saga(
    "counted", input=OrderInput, output=Result, steps=[Step(reserve, compensation=None)]
)


def count_orders(tick: datetime) -> OrderInput:
    return OrderInput(number=Order.objects.count())


if os.environ.get("TICKS"):
    ticking = Schedule("ticking", counted_saga, every=1, input=count_orders)
