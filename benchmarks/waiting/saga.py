"""The sagas that wait. ``BENCH_KIND`` says which are started in batches; one by one it is a saga of a single step.

``asked``: a step, a wait of a week at most for an approval, and a step. ``timed``: a delay until the time in the file that ``BENCH_DUE`` names,
and a step. ``BENCH_SPREAD`` is `amends_timer_spread`.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel

from amends import Delay, Saga, Step, Wait, activity
from benchmarks.contenders.application import application
from benchmarks.stamps import stamp

DUE: Final = "BENCH_DUE"
"""The variable that names the file with the time at which delays are due, in seconds since 1970."""
WAIT: Final = "approval"
"""Name of the wait."""
_WEEK: Final = 7 * 86400.0

app = application("waiting")
app.conf.amends_backend = os.environ.get("BENCH_LOG", "memory://")
app.conf.amends_timer_spread = float(os.environ.get("BENCH_SPREAD", "0"))
KIND: Final = os.environ.get("BENCH_KIND", "asked")


class Load(BaseModel):
    """A saga's input."""

    order_id: str
    due: AwareDatetime | None = None


class Approval(BaseModel):
    """What is waited for."""

    granted_by: str


class Result(BaseModel):
    """Result of the saga."""

    saga_id: str
    outcome: str


@activity
def begin(load: Load) -> None:
    """Do nothing."""


@activity
def finish(load: Load) -> None:
    """Note the call."""
    stamp(load.order_id)


def _saga(name: str, *stages: Any) -> Saga[Load, Result]:
    return Saga(name, input=Load, output=Result, steps=[*stages, Step(finish, compensation=None)])


_SAGAS: Final = {
    "asked": _saga("asked", Step(begin, compensation=None), Wait(WAIT, Approval, timeout=_WEEK)),
    "timed": _saga("timed", Delay(until="input.due", name="timer")),
}
_SINGLE: Final = _saga("single")


def id_of(number: int) -> str:
    """Return the id of a saga, which is its order's too."""
    return f"s-{number}"


def input_bytes(numbers: range) -> int:
    """Return what the inputs of these sagas take as JSON, those without a time."""
    return sum(len(Load(order_id=id_of(number)).model_dump_json()) for number in numbers)


def start(number: int) -> None:
    """Start one of a single step."""
    _SINGLE.start(Load(order_id=id_of(number)), saga_id=id_of(number))


def start_many(numbers: Sequence[int]) -> None:
    """Start these at once, all of which wait."""
    due = None
    if KIND == "timed":
        text = Path(os.environ[DUE]).read_text(encoding="ascii")
        due = datetime.fromtimestamp(float(text), UTC)
    loads = [Load(order_id=id_of(number), due=due) for number in numbers]
    _SAGAS[KIND].start_many(loads, saga_ids=[load.order_id for load in loads])
