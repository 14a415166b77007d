"""The saga whose cost is measured: each step has a compensation, reads the saga's whole input, and does nothing.

``BENCH_STEPS``, ``BENCH_BYTES`` (of the input, as JSON), ``BENCH_WAITS`` (each step but the last waits as for a service)
and ``BENCH_DISPATCH`` shape it.
"""

import os
import time
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel

from amends import Saga, Step, activity
from benchmarks.contenders.application import application
from benchmarks.stamps import stamp

ELSEWHERE: Final = "elsewhere"
"""A queue that no worker consumes."""
ORDER_BYTES: Final = 500
"""An order as JSON, with three items and an address."""
FIVE: Final = 5
_SERVICE: Final = 0.020  # seconds that a service takes to answer

app = application("growth")
app.conf.amends_backend = os.environ.get("BENCH_LOG", "memory://")
dispatch: Any = os.environ.get("BENCH_DISPATCH", "chain")


class Load(BaseModel):
    """A saga's input, as large as its text is."""

    order_id: str
    text: str


class Answer(BaseModel):
    """Output of a step."""

    reference: str


class Result(BaseModel):
    """Result of the saga."""

    saga_id: str
    outcome: str


_ANSWER: Final = Answer(reference="8f14e45f-ceea-467f-a8f3-1e2d5c0b9a77")


@activity
def work(load: Load) -> Answer:  # noqa: ARG001 - that it is read is what costs
    """Do nothing, or wait as for a service."""
    if os.environ.get("BENCH_WAITS"):
        time.sleep(_SERVICE)
    return _ANSWER


@activity
def finish(load: Load) -> Answer:
    """Note that the saga is at its last step."""
    stamp(load.order_id)
    return _ANSWER


@activity
def undo(load: Load, answer: Answer | None) -> None:
    """Do nothing; no saga of the benchmark is compensated."""


@activity(queue=ELSEWHERE, start_to_close_timeout=24 * 3600.0)
def wait_elsewhere(load: Load) -> Answer:  # noqa: ARG001
    """Wait: nobody consumes its queue."""
    return _ANSWER


def _saga(name: str, activities: Sequence[Any]) -> Saga[Load, Result]:
    steps = [
        Step(each, name=f"step_{n}", compensation=undo) for n, each in enumerate(activities, 1)
    ]
    return Saga(name, input=Load, output=Result, steps=steps, dispatch=dispatch)


saga: Final = _saga("growth", [work] * (int(os.environ.get("BENCH_STEPS", FIVE)) - 1) + [finish])
CROWD: Final = _saga("crowd", [wait_elsewhere] * FIVE)
"""Like the saga of five steps, but its messages wait in a queue that nobody consumes."""


def load_of(number: int, size: int) -> Load:
    """Make an input of `size` bytes as JSON."""
    order_id = f"s-{number}"
    bare = len(Load(order_id=order_id, text="").model_dump_json())
    return Load(order_id=order_id, text="x" * (size - bare))


def start(number: int) -> None:
    """Start one."""
    start_many([number])


def start_many(numbers: Sequence[int]) -> None:
    """Start these at once."""
    size = int(os.environ.get("BENCH_BYTES", ORDER_BYTES))
    loads = [load_of(number, size) for number in numbers]
    saga.start_many(loads, saga_ids=[load.order_id for load in loads])
