"""Sagas with stages of several branches, whose activities do what `engine_saga` tells them to.

``a``, then ``b`` and ``c`` in one branch beside ``d``, which has a fallback, then ``e``. And ``a``, then ``ship`` for each
item, then ``count``.
"""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel

from amends import Each, Parallel, Saga, Step, activity
from amends.definition.itinerary import Dispatch
from amends.log.saga_log import SagaLog
from tests.support.engine_saga import QUICK, Job, Part, engine_saga
from tests.support.log_view import view_of

DISPATCHES: Final[tuple[Dispatch, ...]] = ("chain", "inline")


class Item(BaseModel):
    name: str


class Lot(BaseModel):
    job_id: str
    items: list[Item] = []


class Packet(BaseModel):
    job_id: str
    name: str


class Packets(BaseModel):
    job_id: str
    ship: list[Part]


class WideResult(BaseModel):
    job_id: str
    outcome: str
    b: str | None = None
    d: str | None = None
    error: str | None


class LotResult(BaseModel):
    job_id: str
    outcome: str
    ship: list[Part | None] | None = None
    error: str | None


@activity(retry=QUICK)
def act(job: Job) -> Part:
    engine_saga.play(job)
    return Part(part="acted")


@activity(retry=QUICK)
def act_otherwise(job: Job) -> Part:
    engine_saga.play(job)
    return Part(part="acted otherwise")


@activity(retry=QUICK)
def revert(job: Job, part: Part | None) -> None:
    engine_saga.play(job, part)


@activity(retry=QUICK)
def pack(packet: Packet) -> Part:
    engine_saga.play(Job(job_id=packet.job_id))
    return Part(part=packet.name)


@activity(retry=QUICK)
def pack_otherwise(packet: Packet) -> Part:
    engine_saga.play(Job(job_id=packet.job_id))
    return Part(part=f"{packet.name} otherwise")


@activity(retry=QUICK)
def unpack(packet: Packet, part: Part | None) -> None:
    engine_saga.play(Job(job_id=packet.job_id), part)


@activity(retry=QUICK)
def count_packets(packets: Packets) -> Part:
    engine_saga.play(Job(job_id=packets.job_id))
    return Part(part=",".join(each.part for each in packets.ship))


def step(name: str, **how: Any) -> Step[Any, Any]:
    return Step(act, name=name, **{"compensation": revert, "outcome": f"no_{name}", **how})


def parallel_of(
    name: str, *stages: Any, dispatch: Dispatch = "chain", **how: Any
) -> Saga[Job, WideResult]:
    """Define a saga of these stages."""
    outputs = {"b": "b.part", "d": "d.part"}
    how = {"input": Job, "output": WideResult, "outputs": outputs, **how}
    return Saga(name, steps=stages, dispatch=dispatch, **how)


def wide_of(name: str, *, dispatch: Dispatch = "chain", undo: Any = "together") -> Saga[Job, Any]:
    """Define the saga of ``a``, ``b`` and ``c`` beside ``d``, and ``e``."""
    wide = Parallel([step("b"), step("c")], step("d", fallback=act_otherwise), undo=undo)
    stages = step("a"), wide, step("e", compensation=None)
    return parallel_of(name, *stages, dispatch=dispatch)


def each_of(
    name: str, *, dispatch: Dispatch = "chain", concurrency: int | None = None, **how: Any
) -> Saga[Lot, LotResult]:
    """Define the saga of ``a``, ``ship`` for each item, and ``count``."""
    ship = Step(pack, name="ship", **{"compensation": unpack, "outcome": "no_ship", **how})
    return Saga(
        name,
        input=Lot,
        output=LotResult,
        dispatch=dispatch,
        steps=[
            step("a"),
            Each("input.items", ship, concurrency=concurrency),
            Step(count_packets, name="count", compensation=None),
        ],
    )


def lot_of(saga_id: str, many: int) -> Lot:
    return Lot(job_id=saga_id, items=[Item(name=f"item {n}") for n in range(1, many + 1)])


def let_branches_wait(
    log: SagaLog, saga_id: str, branches: Sequence[str], seconds: float = 12.0
) -> None:
    """Let the messages of these branches have been under way for so long, and a sweep look at them."""
    view = view_of(log)
    saga, now = view.saga_key(saga_id), view.client.time()[0] * 1000
    for branch in branches:
        _, rest = view.client.hget(saga, branch).split("|", 1)
        view.client.hset(saga, branch, f"{int(now - seconds * 1000)}|{rest}")
    view.make_due(saga_id)
