"""The saga of waits that is explored: ``a``, an approval ``w``, a child ``k`` that does ``h``, a delay ``t``, then ``g``."""

from typing import Any, Final

from pydantic import BaseModel

from amends import Child, Delay, Saga, Step, Wait
from amends.definition.itinerary import Dispatch
from tests.explorer.explored_saga import SAGA_ID, Job
from tests.explorer.explored_stages import Order, act, revert

APPROVAL: Final = "w"
CHILD_ID: Final = f"{SAGA_ID}.k"
TIMEOUT: Final = 200.0
"""Seconds that the approval may take."""


class Approval(BaseModel):
    granted: bool = True


class WaitsResult(BaseModel):
    job_id: str
    outcome: str


class ChildResult(BaseModel):
    outcome: str


def _step(name: str, **how: Any) -> Step[Any, Any]:
    return Step(act, name=name, **{"compensation": revert, "outcome": f"no_{name}", **how})


def waits_of(timeout: float | None, dispatch: Dispatch) -> Saga[Job, WaitsResult]:
    """Define the saga, with this timeout and this way from step to step."""
    child = Saga(
        "explored_child", input=Order, output=ChildResult, steps=[_step("h")], dispatch=dispatch
    )
    job = {"job_id": "input.job_id"}
    return Saga(
        "explored_waits",
        input=Job,
        output=WaitsResult,
        steps=[
            _step("a", inputs=job),
            Wait(APPROVAL, Approval, timeout=TIMEOUT, outcome="no_w"),
            Child(child, name="k", inputs=job, outcome="no_k"),
            Delay(20.0, name="t"),
            _step("g", inputs=job),
        ],
        timeout=timeout,
        dispatch=dispatch,
    )
