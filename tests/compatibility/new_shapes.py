"""Sagas that this release runs alone: with stages of several branches, a point of no return, and a verification."""

from typing import Any, Final

from pydantic import BaseModel, Field

import amends
from amends import Each, Parallel, Saga, Step, activity
from tests.compatibility.receiver import receiver
from tests.compatibility.sagas import QUICK, Job, Part, do, do_otherwise, play, undo


class Outcome(BaseModel):
    """What a saga came to."""

    job_id: str
    outcome: str
    error: str | None


class Item(BaseModel):
    """One of a lot."""

    name: str


class Lot(Job):
    """A job with items."""

    items: list[Item] = Field(default_factory=list)


class ItemJob(Job):
    """The job of an item."""

    name: str


@activity(name="compatibility.do_item", retry=QUICK)
def do_item(job: ItemJob) -> Part:
    """Do a step for an item; the release before does not know this task."""
    return play(job, job.name)


@activity(name="compatibility.undo_item", retry=QUICK)
def undo_item(job: ItemJob, part: Part | None) -> None:
    """Undo a step of an item."""
    play(job, job.name, part and part.part)


@activity(name="compatibility.verify", retry=QUICK)
def verify(job: Job) -> Part | None:
    """Say whether a step took effect."""
    key = amends.context().verifies.idempotency_key
    made = receiver().effects(job.job_id).get(key.partition(":")[2]) == "made"
    return Part(part=f"{key} is there") if made else None


def _step(name: str, **how: Any) -> Step[Any, Any]:
    return Step(do, name=name, **{"compensation": undo, "outcome": f"no_{name}", **how})


def _saga(name: str, *stages: Any, **how: Any) -> Saga[Any, Outcome]:
    return Saga(name, input=how.pop("input", Job), output=Outcome, steps=stages, **how)


def _branches() -> Parallel:
    return Parallel([_step("b"), _step("c")], _step("d", fallback=do_otherwise))


wide_saga = _saga("wide", _step("a"), _branches(), _step("e", compensation=None))
at_once_saga = _saga("at_once", _branches(), _step("e", compensation=None), timeout=6.0)
each_saga = _saga(
    "each",
    _step("a"),
    Each(
        "input.items",
        Step(do_item, name="b", compensation=undo_item, outcome="no_b"),
        concurrency=2,
    ),
    _step("e", compensation=None),
    input=Lot,
)
pivot_saga = _saga(
    "pivot",
    _step("a"),
    _step("b", pivot=True, compensation=None),
    _step("e", compensation=None),
    timeout=6.0,
)
verified_saga = _saga(
    "verified", _step("a"), _step("b", verify=verify), _step("e", compensation=None)
)

SAGAS: Final = {
    each.name: each for each in (wide_saga, at_once_saga, each_saga, pivot_saga, verified_saga)
}
