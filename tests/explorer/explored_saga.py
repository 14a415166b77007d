"""The saga that is explored: ``b`` has a fallback, and ``d`` can neither fail the saga nor be undone."""

from dataclasses import replace
from typing import Final, Protocol

from pydantic import BaseModel

import amends
from amends import RetryPolicy, Saga, Step, activity
from amends.definition.itinerary import Dispatch

SAGA_ID: Final = "s"
TWICE: Final = RetryPolicy(max_attempts=2, initial_interval=3.0, max_interval=3.0, jitter=0.0)
THRICE: Final = replace(TWICE, max_attempts=3)


class Player(Protocol):
    """Who plays what the activities do."""

    def play(self, path: str, request: BaseModel, output: BaseModel | None) -> None: ...
    def find(self, path: str, key: str) -> bool: ...


class Job(BaseModel):
    job_id: str


class Part(BaseModel):
    part: str


class Whole(BaseModel):
    job_id: str
    part: str


class Result(BaseModel):
    job_id: str
    outcome: str
    part: str | None


class _Scene:
    player: Player


def enter(player: Player) -> None:
    """Let this one play what the activities do."""
    _Scene.player = player


def play(request: BaseModel, output: BaseModel | None = None) -> None:
    """Do what an activity does."""
    _Scene.player.play(_path(), request, output)


def find(key: str) -> bool:
    """Tell what a verification finds of this effect."""
    return _Scene.player.find(_path(), key)


def _path() -> str:
    return amends.context().idempotency_key.partition(":")[2]


@activity(retry=TWICE)
def do_a(job: Job) -> Part:
    play(job)
    return Part(part="a")


@activity(retry=THRICE)  # one more than a plot and a strike cost
def undo_a(job: Job, part: Part | None) -> None:
    play(job, part)


@activity(retry=TWICE)
def do_b(job: Job) -> Part:
    play(job)
    return Part(part="b")


@activity(retry=TWICE)
def do_b_otherwise(job: Job) -> Part:
    play(job)
    return Part(part="b otherwise")


@activity(retry=TWICE)
def undo_b(job: Job, part: Part | None) -> None:
    play(job, part)


@activity(retry=TWICE)
def do_c(whole: Whole) -> None:
    play(whole)


@activity(retry=TWICE)
def undo_c(whole: Whole, nothing: None) -> None:
    play(whole)


@activity(retry=TWICE)
def tell(job: Job) -> None:
    play(job)


STEPS: Final = [
    Step(do_a, name="a", compensation=undo_a, outcome="no_a"),
    Step(do_b, name="b", fallback=do_b_otherwise, compensation=undo_b, outcome="no_b"),
    Step(do_c, name="c", compensation=undo_c, inputs={"part": "b.part"}, outcome="no_c"),
    Step(tell, name="d", compensation=None, on_failure="continue"),
]


def saga_of(timeout: float | None, dispatch: Dispatch) -> Saga[Job, Result]:
    """Define the saga, with this timeout and this way from step to step."""
    return Saga(
        "explored",
        input=Job,
        output=Result,
        outputs={"part": "b.part"},
        steps=STEPS,
        timeout=timeout,
        dispatch=dispatch,
    )
