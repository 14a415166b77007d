"""DBOS Transact on SQLite, as its documentation sets up a queue worker: ``python -m benchmarks.contenders.dbos_workflow``.

A workflow of five steps, a queue with DBOS's own settings, one process that runs it with DBOS's own number of threads,
and `DBOSClient` to enqueue from another process. A SQLite file is for one machine, and Postgres is what DBOS
recommends for production; it is here because it needs no server either.
"""

import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig, SetWorkflowID

from benchmarks.contenders.order import order_of
from benchmarks.stamps import PLACE, stamp

QUEUE = "orders"
URL = f"sqlite:///{Path(os.environ[PLACE]).with_name('dbos.sqlite')}"

Json = dict[str, Any]


def _answer(order: Json) -> str:
    return f"receipt-{order['order_id']}"


reserve, pay, ship = (DBOS.step(name=name)(_answer) for name in ("reserve", "pay", "ship"))


@DBOS.step()
def validate(order: Json) -> None:
    """Do nothing, as the others do."""


@DBOS.step()
def notify(order: Json) -> None:
    """Note the end."""
    stamp(order["order_id"])


@DBOS.workflow(name="order")
def order_workflow(order: Json) -> Json:
    """Take the five steps."""
    validate(order)
    reserved, paid, shipped = reserve(order), pay(order), ship(order)
    notify(order)
    return {"reservation_id": reserved, "transaction_id": paid, "shipment_id": shipped}


def start(number: int) -> None:
    """Enqueue one for the worker."""
    order = order_of(number)
    _client().enqueue(
        {"workflow_name": "order", "queue_name": QUEUE, "workflow_id": order["order_id"]}, order
    )


def start_here(number: int) -> None:
    """Start one in this process, without the queue, which its worker polls once a second."""
    _launched()
    order = order_of(number)
    with SetWorkflowID(order["order_id"]):
        DBOS.start_workflow(order_workflow, order)


def count_completed() -> int:
    """Count those that completed."""
    return len(_client().list_workflows(status="SUCCESS", load_input=False, load_output=False))


@cache
def _client() -> DBOSClient:
    _launch("maker")  # creates the tables, where there are none
    DBOS.destroy()
    return DBOSClient(system_database_url=URL)


@cache
def _launched() -> None:
    _launch("starter")


def _launch(executor: str, queues: tuple[str, ...] = ()) -> None:
    config: DBOSConfig = {
        "name": "orders",
        "system_database_url": URL,
        "executor_id": executor,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.listen_queues(queues)
    DBOS.launch()


if __name__ == "__main__":
    _launch("worker", (QUEUE,))
    DBOS.register_queue(QUEUE)
    threading.Event().wait()
