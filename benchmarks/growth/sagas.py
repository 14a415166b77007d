"""The sagas whose cost is measured, and the app of their workers: ``celery -A benchmarks.growth.sagas worker``.

Each step has an undo, as most have in life, reads the saga's whole input, and does nothing; the last notes when.
"""

import os
import time
from functools import cache
from typing import Final, Literal

from celery import Celery
from pydantic import BaseModel

from amends import Saga, Step, activity
from benchmarks.stamps import stamp

Dispatch = Literal["chain", "inline"]
DISPATCHES: Final[tuple[Dispatch, ...]] = ("chain", "inline")

ORDER_BYTES: Final = 500
"""What an order takes as JSON, with three items and an address."""
FIVE: Final = 5
ELSEWHERE: Final = "elsewhere"
"""A queue that no worker consumes."""
_SERVICE: Final = 0.020  # seconds that a service takes to answer


class Load(BaseModel):
    """A saga's input, as large as its text is."""

    order_id: str
    text: str


class Answer(BaseModel):
    """What a service answers: a reference."""

    reference: str


class Result(BaseModel):
    """What came of a saga."""

    saga_id: str
    outcome: str


_ANSWER: Final = Answer(reference="8f14e45f-ceea-467f-a8f3-1e2d5c0b9a77")


@activity
def work(load: Load) -> Answer:  # noqa: ARG001 - that it is read is what costs
    """Do nothing."""
    return _ANSWER


@activity
def wait(load: Load) -> Answer:  # noqa: ARG001
    """Wait as for a service."""
    time.sleep(_SERVICE)
    return _ANSWER


@activity
def finish(load: Load) -> Answer:
    """Note that the saga is at its last step."""
    stamp(load.order_id)
    return _ANSWER


@activity
def undo(load: Load, answer: Answer | None) -> None:
    """Take nothing back; no saga of the benchmark comes to it."""


@activity(queue=ELSEWHERE, start_to_close_timeout=24 * 3600.0)
def wait_elsewhere(load: Load) -> Answer:  # noqa: ARG001
    """Wait: nobody consumes its queue."""
    return _ANSWER


@cache
def saga_of(steps: int, *, dispatch: Dispatch = "chain", waits: bool = False) -> Saga[Load, Result]:
    """Define a saga with so many steps; each may wait as for a service."""
    activities = [wait if waits else work] * (steps - 1) + [finish]
    each = [
        Step(one, name=f"step_{n}", compensation=undo) for n, one in enumerate(activities, start=1)
    ]
    name = f"{dispatch}_{steps}{'_waiting' * waits}"
    return Saga(name, input=Load, output=Result, steps=each, dispatch=dispatch)


CROWD: Final = Saga(
    "crowd",
    input=Load,
    output=Result,
    steps=[Step(wait_elsewhere, name=f"step_{n}", compensation=undo) for n in range(1, FIVE + 1)],
)
"""Like the saga of five steps, but its messages wait in a queue that nobody consumes."""


def load_of(number: int, size: int) -> Load:
    """Make an input of so many bytes as JSON."""
    order_id = f"s-{number}"
    bare = len(Load(order_id=order_id, text="").model_dump_json())
    return Load(order_id=order_id, text="x" * (size - bare))


def application(broker: str, backend: str) -> Celery:
    """Make an app with its broker and its log at these URLs, and Celery's default for the rest."""
    made = Celery("growth", broker=broker, set_as_current=False)
    made.conf.update(
        amends_backend=backend,
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
    )
    return made


app = application(
    os.environ.get("CELERY_BROKER_URL", "memory://"), os.environ.get("AMENDS_BACKEND", "memory://")
)
app.set_default()
