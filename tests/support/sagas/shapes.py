"""Sagas of conditions, points of no return and verifications, whose activities do what `engine_saga` tells them to."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from amends import Each, Saga, Step, Wait, activity, context
from amends.definition.itinerary import Dispatch
from tests.support.engine_saga import QUICK, Job, Part, engine_saga
from tests.support.sagas.wide import act, act_otherwise, revert


class Item(BaseModel):
    name: str
    fragile: bool = False


class Order(Job):
    gift: bool = False
    items: list[Item] = Field(default_factory=list)
    deliver_at: AwareDatetime | None = None


class Approval(BaseModel):
    granted: bool = True


class Flag(BaseModel):
    large: bool


class ShapeResult(BaseModel):
    job_id: str
    outcome: str
    error: str | None
    a: str | None = None
    b: str | None = None


class Wrapped(BaseModel):
    job_id: str
    name: str


@activity(retry=QUICK)
def find_part(job: Job) -> Part | None:
    """Answer whether the receiver has the effect in question; a script of the verification's own key runs before."""
    engine_saga.play(job)
    has_it = context().verifies.idempotency_key in engine_saga.world.in_force
    return Part(part="found") if has_it else None


@activity(retry=QUICK)
def measure(job: Job) -> Flag:
    engine_saga.play(job)
    return Flag(large=job.amount > 1)


@activity(retry=QUICK)
def wrap(wrapped: Wrapped) -> Part:
    engine_saga.play(Job(job_id=wrapped.job_id))
    return Part(part=wrapped.name)


@activity(retry=QUICK)
def unwrap(wrapped: Wrapped, part: Part | None) -> None:
    engine_saga.play(Job(job_id=wrapped.job_id), part)


@activity(retry=QUICK)
def find_wrapping(wrapped: Wrapped) -> Part | None:
    return find_part.function(Job(job_id=wrapped.job_id))  # type: ignore[no-any-return]


def step(name: str, **how: Any) -> Step[Any, Any]:
    return Step(act, name=name, **{"compensation": revert, "outcome": f"no_{name}", **how})


def verified(name: str, **how: Any) -> Step[Any, Any]:
    return step(name, verify=find_part, **how)


def doubled(name: str, **how: Any) -> Step[Any, Any]:
    """Return a step that has a fallback."""
    return step(name, fallback=act_otherwise, **how)


def each_item(name: str = "pack", *, of_stage: Any = None, **how: Any) -> Each:
    """Return a stage that wraps each item of the input."""
    of_step = {"compensation": unwrap, "outcome": f"no_{name}", **how}
    return Each("input.items", Step(wrap, name=name, **of_step), **(of_stage or {}))


def approval(name: str = "approval", **how: Any) -> Wait[Approval]:
    return Wait(name, Approval, **{"outcome": f"no_{name}", **how})


def shape_of(
    name: str, *stages: Any, dispatch: Dispatch = "chain", **how: Any
) -> Saga[Order, ShapeResult]:
    """Define a saga of these stages."""
    names = [each.name for each in stages if isinstance(each, Step)]
    outputs = {key: f"{key}.part" for key in ("a", "b") if key in names}
    how = {"outputs": outputs, "timeout": 600.0, **how}
    return Saga(name, input=Order, output=ShapeResult, steps=stages, dispatch=dispatch, **how)


def items_of(*kinds: Literal["fragile", "solid"]) -> list[Item]:
    return [Item(name=f"item {n}", fragile=each == "fragile") for n, each in enumerate(kinds, 1)]
