"""The sagas with which stages are measured. ``BENCH_KIND`` says which of them is started, ``BENCH_DISPATCH`` how it goes on.

``branches``: a step, four branches that wait for 50 ms each, and a step. ``items``: a step for each item of a list that does
nothing. ``single``: sagas of one step that does nothing.
"""

import os
import time
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel

from amends import Each, Parallel, Saga, Step, activity
from benchmarks.contenders.application import application
from benchmarks.stamps import stamp

BRANCHES: Final = 4
WAITS: Final = 0.050
"""Seconds that each branch takes."""
BATCH: Final = 1_000
"""Items of one saga."""

app = application("stages")
app.conf.amends_backend = os.environ.get("BENCH_LOG", "memory://")
dispatch: Any = os.environ.get("BENCH_DISPATCH", "chain")
KIND: Final = os.environ.get("BENCH_KIND", "branches")


class Item(BaseModel):
    """One of the list."""

    order_id: str


class Load(BaseModel):
    """A saga's input."""

    order_id: str
    items: list[Item] = []


class Result(BaseModel):
    """Result of the saga."""

    saga_id: str
    outcome: str


@activity
def begin(item: Item) -> None:
    """Do nothing."""


@activity
def wait(item: Item) -> None:  # noqa: ARG001
    """Wait as for a service."""
    time.sleep(WAITS)


@activity
def finish(item: Item) -> None:
    """Note that it was done."""
    stamp(item.order_id)


def _step(name: str, of: Any, **how: Any) -> Step[Any, Any]:
    return Step(of, name=name, compensation=None, **how)


branches: Final = Saga(
    "branches",
    input=Load,
    output=Result,
    dispatch=dispatch,
    steps=[
        _step("begin", begin),
        Parallel(*(_step(f"wait_{n}", wait) for n in range(1, BRANCHES + 1))),
        _step("finish", finish),
    ],
)
items: Final = Saga(
    "items",
    input=Load,
    output=Result,
    dispatch=dispatch,
    steps=[Each("input.items", _step("finish", finish, inputs={"order_id": "item.order_id"}))],
)
single: Final = Saga(
    "single", input=Load, output=Result, dispatch=dispatch, steps=[_step("finish", finish)]
)
_SAGAS: Final = {"branches": branches, "single": single}


def start(number: int) -> None:
    """Start one."""
    start_many([number])


def start_many(numbers: Sequence[int]) -> None:
    """Start these at once: a saga each, or one with an item each."""
    ids = [f"s-{number}" for number in numbers]
    if KIND == "items":
        load = Load(order_id=ids[0], items=[Item(order_id=each) for each in ids])
        items.start(load, saga_id=ids[0])
    else:
        _SAGAS[KIND].start_many([Load(order_id=each) for each in ids], saga_ids=ids)
