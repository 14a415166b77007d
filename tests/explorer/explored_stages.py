"""The saga of stages that is explored: ``b`` beside ``c`` and ``d``, then ``e`` for each item, then the point of no return at ``f``.

``a`` comes before them and ``g`` after; a stage whose condition is false is between. ``c`` and ``f`` ask for their effects.
"""

from typing import Any, Final

from pydantic import BaseModel

import amends
from amends import Each, Parallel, Saga, Step, activity
from amends.definition.itinerary import Dispatch
from tests.explorer.explored_saga import THRICE, TWICE, Part, find, play

ITEMS: Final = 2
LEFT_OUT: Final = ("x", "y")
"""Steps of the stage whose condition is false."""


class Item(BaseModel):
    name: str


class Lot(BaseModel):
    job_id: str
    items: list[Item]
    is_gift: bool = False


class Packet(BaseModel):
    job_id: str
    name: str


class Order(BaseModel):
    job_id: str


class LotResult(BaseModel):
    job_id: str
    outcome: str


@activity(retry=THRICE)
def act(order: Order) -> Part:
    play(order)
    return Part(part="acted")


@activity(retry=TWICE)
def act_otherwise(order: Order) -> Part:
    play(order)
    return Part(part="acted otherwise")


@activity(retry=THRICE)
def revert(order: Order, part: Part | None) -> None:
    play(order, part)


@activity(retry=THRICE)
def ask(order: Order) -> Part | None:
    return Part(part="found") if find(amends.context().verifies.idempotency_key) else None


@activity(retry=TWICE)
def pack(packet: Packet) -> Part:
    play(packet)
    return Part(part=packet.name)


@activity(retry=THRICE)
def unpack(packet: Packet, part: Part | None) -> None:
    play(packet, part)


def _step(name: str, **how: Any) -> Step[Any, Any]:
    return Step(act, name=name, **{"compensation": revert, "outcome": f"no_{name}", **how})


def lot_of(saga_id: str) -> Lot:
    """Make the saga's input."""
    return Lot(job_id=saga_id, items=[Item(name=f"item {n}") for n in range(1, ITEMS + 1)])


def stages_of(timeout: float | None, dispatch: Dispatch) -> Saga[Lot, LotResult]:
    """Define the saga, with this timeout and this way from step to step."""
    return Saga(
        "explored_stages",
        input=Lot,
        output=LotResult,
        steps=[
            _step("a"),
            Parallel(_step("b", fallback=act_otherwise), [_step("c", verify=ask), _step("d")]),
            Parallel(_step("x"), _step("y"), when="input.is_gift"),
            Each(
                "input.items",
                Step(pack, name="e", compensation=unpack, outcome="no_e"),
                concurrency=1,
            ),
            _step("f", compensation=None, pivot=True, verify=ask),
            _step("g", compensation=None),
        ],
        timeout=timeout,
        dispatch=dispatch,
    )
