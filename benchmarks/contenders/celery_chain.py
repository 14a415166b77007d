"""A Celery chain without a saga library: each task passes the order on to the next.

With ``BENCH_WITH_RESULTS`` the results of all tasks are kept in Redis, else none.
"""

import os
from typing import Any

from celery import chain

from benchmarks.contenders.application import application
from benchmarks.contenders.order import order_of
from benchmarks.stamps import stamp

with_results = bool(os.environ.get("BENCH_WITH_RESULTS"))
app = application("plain", results=with_results)

Json = dict[str, Any]


def _pass_on(order: Json) -> Json:
    return order


validate, reserve, pay, ship = (
    app.task(name=f"{__name__}.{name}", ignore_result=not with_results)(_pass_on)
    for name in ("validate", "reserve", "pay", "ship")
)


@app.task(ignore_result=not with_results)
def notify(order: Json) -> Json:
    """Note the end."""
    stamp(order["order_id"])
    return order


def start(number: int) -> None:
    """Start one."""
    chain(validate.s(order_of(number)), reserve.s(), pay.s(), ship.s(), notify.s()).apply_async()
