"""What people write without a saga library: a Celery chain. Each task passes the order on to the next.

With ``BENCH_RESULTS`` the results of all tasks are kept in Redis, else none is.
"""

import os
from typing import Any

from celery import chain

from benchmarks.contenders.application import application
from benchmarks.orders import order_of
from benchmarks.stamps import stamp

with_results = bool(os.environ.get("BENCH_RESULTS"))
app = application("plain", results=with_results)

Json = dict[str, Any]


@app.task(ignore_result=not with_results)
def validate(order: Json) -> Json:
    """Do nothing, as the others do."""
    return order


@app.task(ignore_result=not with_results)
def reserve(order: Json) -> Json:
    """Do nothing."""
    return order


@app.task(ignore_result=not with_results)
def pay(order: Json) -> Json:
    """Do nothing."""
    return order


@app.task(ignore_result=not with_results)
def ship(order: Json) -> Json:
    """Do nothing."""
    return order


@app.task(ignore_result=not with_results)
def notify(order: Json) -> Json:
    """Note the end."""
    stamp(order["order_id"])
    return order


def start(number: int) -> None:
    """Start one."""
    chain(validate.s(order_of(number)), reserve.s(), pay.s(), ship.s(), notify.s()).apply_async()
