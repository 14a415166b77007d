"""What may happen to a saga when nobody is struck: the ways forward, back and between channels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from pydantic import BaseModel
from receiver import Receiver

import amends
from amends import Handle, NotDone, Refused, RetryPolicy, Saga, Step, activity

SAGA_ID: Final = "s"
TWICE: Final = RetryPolicy(max_attempts=2, initial_interval=3.0, max_interval=3.0, jitter=0.0)
THRICE: Final = replace(TWICE, max_attempts=3)
DEADLINE: Final = 40.0
"""Seconds; shorter than what an attempt has."""


class Stage(Protocol):
    """What an act may do, beside its effect."""

    receiver: Receiver

    def die(self) -> None: ...
    def hang(self) -> None: ...
    def cancel(self) -> None: ...
    def ask(self, act: "PersonsAct") -> None: ...
    def pass_time(self, seconds: float) -> None: ...
    def sweep(self) -> None: ...
    def play(self, path: str, request: BaseModel, output: BaseModel | None) -> None: ...


PersonsAct = Callable[[Stage, Handle[Any]], object]
"""What a person does to the saga, and outside of it."""

Act = Callable[[Stage, Callable[[], None]], None]
"""What an attempt does: with the stage, and the effect that it may have."""


def succeed(_: Stage, effect: Callable[[], None]) -> None:
    effect()


def refuse(_: Stage, __: Callable[[], None]) -> None:
    raise Refused("no")


def do_nothing(_: Stage, __: Callable[[], None]) -> None:
    raise NotDone("nobody was there")


def lose_the_reply(_: Stage, effect: Callable[[], None]) -> None:
    effect()
    raise OSError("no reply")


def die_before(stage: Stage, effect: Callable[[], None]) -> None:
    stage.die()


def die_after(stage: Stage, effect: Callable[[], None]) -> None:
    effect()
    stage.die()


def hang_after(stage: Stage, effect: Callable[[], None]) -> None:
    effect()
    stage.hang()


def be_cancelled(stage: Stage, effect: Callable[[], None]) -> None:
    stage.cancel()
    effect()


def be_paused(stage: Stage, effect: Callable[[], None]) -> None:
    stage.ask(lambda _, handle: handle.pause())
    effect()


def be_paused_and_cancelled(stage: Stage, effect: Callable[[], None]) -> None:
    be_paused(stage, effect)
    stage.cancel()


def undo_by_hand(stage: Stage, handle: Handle[Any]) -> None:
    stage.receiver.undo(f"{SAGA_ID}:b")
    handle.skip("b", by="ada", why="by hand")


def take_too_long(stage: Stage, effect: Callable[[], None]) -> None:
    effect()
    for _ in range(2):
        stage.pass_time(DEADLINE * 0.6)
        stage.sweep()


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A story: by record, what its first attempts do (later ones succeed), and how the saga ends.

    Where the saga stands still, stuck or paused, the `person` does something about it.
    """

    name: str
    acts: Mapping[str, Sequence[Act]] = field(default_factory=dict)
    person: PersonsAct | None = None
    ends: str
    timeout: float | None = None


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
    stage: Stage


def enter(stage: Stage) -> None:
    """Let the activities play on this stage."""
    _Scene.stage = stage


def _play(request: BaseModel, output: BaseModel | None = None) -> None:
    path = amends.context().idempotency_key.partition(":")[2]
    _Scene.stage.play(path, request, output)


@activity(retry=TWICE)
def do_a(job: Job) -> Part:
    _play(job)
    return Part(part="a")


@activity(retry=THRICE)  # one more than a plot and a strike cost
def undo_a(job: Job, part: Part | None) -> None:
    _play(job, part)


@activity(retry=TWICE)
def do_b(job: Job) -> Part:
    _play(job)
    return Part(part="b")


@activity(retry=TWICE)
def do_b_otherwise(job: Job) -> Part:
    _play(job)
    return Part(part="b otherwise")


@activity(retry=TWICE)
def undo_b(job: Job, part: Part | None) -> None:
    _play(job, part)


@activity(retry=TWICE)
def do_c(whole: Whole) -> None:
    _play(whole)


@activity(retry=TWICE)
def undo_c(whole: Whole, nothing: None) -> None:
    _play(whole)


@activity(retry=TWICE)
def tell(job: Job) -> None:
    _play(job)


STEPS: Final = [
    Step(do_a, name="a", compensation=undo_a, outcome="no_a"),
    Step(do_b, name="b", fallback=do_b_otherwise, compensation=undo_b, outcome="no_b"),
    Step(do_c, name="c", compensation=undo_c, inputs={"part": "b.part"}, outcome="no_c"),
    Step(tell, name="d", compensation=None, on_failure="continue"),
]


def saga_of(plot: Plot) -> Saga[Job, Result]:
    """Define the saga of a plot."""
    settings: dict[str, Any] = {"input": Job, "output": Result, "outputs": {"part": "b.part"}}
    return Saga("explored", steps=STEPS, timeout=plot.timeout, **settings)


PLOTS: Final = (
    Plot(name="forward", ends="completed"),
    Plot(name="last step refused", acts={"c": [refuse]}, ends="compensated"),
    Plot(
        name="retries on both ways",
        acts={"a": [lose_the_reply], "c": [do_nothing, refuse], "a:undo": [lose_the_reply]},
        ends="compensated",
    ),
    Plot(name="failure passed over", acts={"d": [lose_the_reply] * 2}, ends="completed"),
    Plot(name="switch after not done", acts={"b": [do_nothing] * 2}, ends="completed"),
    Plot(name="switch after a void", acts={"b": [lose_the_reply] * 2}, ends="completed"),
    Plot(
        name="back over a switch",
        acts={"b": [lose_the_reply] * 2, "c": [refuse]},
        ends="compensated",
    ),
    Plot(
        name="both channels unknown",
        acts={"b": [lose_the_reply] * 2, "b:fallback": [lose_the_reply] * 2},
        ends="compensated",
    ),
    Plot(
        name="refused at the second try",
        acts={"b": [lose_the_reply, refuse]},
        ends="compensated",
    ),
    Plot(name="cancelled on the way", acts={"b": [be_cancelled]}, ends="compensated"),
    Plot(
        name="cancelled in a void",
        acts={"b": [lose_the_reply] * 2, "b:undo": [be_cancelled]},
        ends="compensated",
    ),
    Plot(name="deadline", acts={"b": [take_too_long]}, timeout=DEADLINE, ends="compensated"),
    Plot(name="died before the effect", acts={"b": [die_before]}, ends="completed"),
    Plot(name="died after the effect", acts={"b": [die_after], "c": [refuse]}, ends="compensated"),
    Plot(name="died in an undo", acts={"c": [refuse], "b:undo": [die_after]}, ends="compensated"),
    Plot(
        name="given up at the last attempt",
        acts={"b": [lose_the_reply, hang_after]},
        ends="completed",
    ),
    Plot(name="undo fails", acts={"c": [refuse], "b:undo": [lose_the_reply] * 2}, ends="stuck"),
    Plot(
        name="void fails",
        acts={"b": [lose_the_reply] * 2, "b:undo": [do_nothing] * 2},
        ends="stuck",
    ),
    Plot(
        name="paused and resumed",
        acts={"b": [be_paused]},
        person=lambda _, handle: handle.resume(),
        ends="completed",
    ),
    Plot(
        name="cancelled while paused",
        acts={"b": [be_paused_and_cancelled]},
        person=lambda _, handle: handle.resume(),
        ends="compensated",
    ),
    Plot(
        name="undo fails and is retried",
        acts={"c": [refuse], "b:undo": [lose_the_reply] * 2},
        person=lambda _, handle: handle.retry(),
        ends="compensated",
    ),
    Plot(
        name="void fails and is retried",
        acts={"b": [lose_the_reply] * 2, "b:undo": [do_nothing] * 2},
        person=lambda _, handle: handle.retry(),
        ends="compensated",
    ),
    Plot(
        name="undo fails and is skipped",
        acts={"c": [refuse], "b:undo": [lose_the_reply] * 2},
        person=undo_by_hand,
        ends="compensated",
    ),
)
