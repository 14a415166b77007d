"""An app whose workers, and the process that starts its sagas, run with a tracing tool: ``python traced_app.py SAGA ...`` starts these."""

import os
import sys
import time

from celery import Celery, signals
from pydantic import BaseModel

from amends import Refused, RetryPolicy, Saga, Step, activity, context
from tests.integration.traces.tools import TOOLS, note

request = TOOLS[os.environ["TRACED_BY"]][1]()

app = Celery("traced", broker=os.environ["TRACED_BROKER"])
app.conf.update(amends_backend=os.environ["TRACED_LOG"], amends_sweep_interval=0.2)
app.set_default()


class Order(BaseModel):
    order_id: str


class Result(BaseModel):
    outcome: str
    error: str | None


ONCE = RetryPolicy(max_attempts=1)
TWICE = RetryPolicy(max_attempts=2, initial_interval=0.01)


@signals.task_failure.connect
def note_failure(sender, task_id, exception, **_):
    note(signal="task_failure", task=sender.name, task_id=task_id, error=repr(exception))


@signals.task_retry.connect
def note_retry(sender, request, **_):
    note(signal="task_retry", task=sender.name, task_id=request.id)


@activity(name="reserve")
def reserve(order: Order) -> None: ...


@activity(name="release", retry=ONCE)
def release(order: Order, output: None) -> None:
    if order.order_id.startswith("stuck"):
        raise KeyError("release")


@activity(name="charge", retry=TWICE)
def charge(order: Order) -> None:
    if context().attempt == 1:
        raise ConnectionError("once")


@activity(name="ship", retry=ONCE)
def ship(order: Order) -> None:
    if order.order_id.startswith("refused"):
        raise Refused("no such street")
    raise KeyError("street")


@activity(name="linger", start_to_close_timeout=300.0)
def linger(order: Order) -> None:
    if context().attempt == 1 and not os.environ.get("TRACED_SECOND"):
        note(lingers=order.order_id)
        time.sleep(300.0)


SAGAS = {
    dispatch: Saga(
        dispatch,
        input=Order,
        output=Result,
        dispatch=dispatch,
        steps=[
            Step(reserve, compensation=release),
            Step(charge, compensation=None),
            Step(ship, compensation=None),
        ],
    )
    for dispatch in ("chain", "inline")
}
lingering = Saga(
    "lingering",
    input=Order,
    output=Result,
    steps=[Step(linger, compensation=None), Step(reserve, compensation=None)],
)
SAGAS["lingering"] = lingering


def main() -> None:
    """Start a saga of each id, ``<kind>-<saga>``, each in a request of its own."""
    for saga_id in sys.argv[1:]:
        with request():
            SAGAS[saga_id.rpartition("-")[2]].start(Order(order_id=saga_id), saga_id=saga_id)
        note(started=saga_id)


if __name__ == "__main__":
    main()
