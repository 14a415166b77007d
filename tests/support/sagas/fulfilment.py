"""A saga with stages of several branches: goods are reserved, checked and paid for at once, and shipped in parcels."""

import threading
from collections.abc import Sequence
from typing import Any

from celery import Celery
from pydantic import BaseModel

from amends import Each, Parallel, Refused, RetryPolicy, Saga, Step, activity, context
from amends.definition.serialization import canonical_json
from amends.dispatch.coordinator import advance
from amends.log.saga_log import SagaLog, log_of
from amends.saga.handle import Handle

ERROR = canonical_json({"type": "Away", "message": "nobody answers"})
ONCE = RetryPolicy(max_attempts=1)
TWICE = RetryPolicy(max_attempts=2, initial_interval=60.0, jitter=0.0)


class Parcel(BaseModel):
    sku: str


class Fulfilment(BaseModel):
    order_id: str
    parcels: list[Parcel]


class Goods(BaseModel):
    order_id: str


class Shipment(BaseModel):
    order_id: str
    sku: str


class Receipt(BaseModel):
    receipt: str


class Score(BaseModel):
    score: int


class Bill(BaseModel):
    order_id: str
    ship: list[Receipt]


class FulfilmentResult(BaseModel):
    outcome: str
    ship: list[Receipt | None]
    error: str | None


class _World:
    """What refuses, and what was done: each by its record's path."""

    def __init__(self) -> None:
        self.refuses: set[str] = set()
        self.breaks: set[str] = set()
        self.done: list[str] = []
        self.holds: dict[str, threading.Event] = {}
        self.held: set[str] = set()

    def reset(self) -> None:
        """Let all go on that is held, and forget everything."""
        for event in self.holds.values():
            event.set()
        for each in (self.refuses, self.breaks, self.done, self.holds, self.held):
            each.clear()


world = _World()


def _work() -> Receipt:
    path = context().idempotency_key.partition(":")[2]
    if path in world.holds:
        world.held.add(path)
        assert world.holds[path].wait(60)
    if path in world.refuses:
        raise Refused(f"{path} is refused")
    if path in world.breaks:
        raise ConnectionError(f"{path} is away")
    world.done.append(path)
    return Receipt(receipt=path)


@activity(retry=ONCE)
def reserve(goods: Goods) -> Receipt:
    return _work()


@activity(retry=ONCE)
def release(goods: Goods, receipt: Receipt | None) -> None:
    _work()


@activity(retry=ONCE)
def score(goods: Goods) -> Score:
    _work()
    return Score(score=1)


@activity(retry=ONCE)
def authorize(goods: Goods) -> Receipt:
    return _work()


@activity(retry=ONCE)
def void(goods: Goods, receipt: Receipt | None) -> None:
    _work()


@activity(retry=ONCE)
def pick(goods: Goods) -> Receipt:
    return _work()


@activity(retry=ONCE)
def put_back(goods: Goods, receipt: Receipt | None) -> None:
    _work()


@activity(retry=TWICE)
def ship(shipment: Shipment) -> Receipt:
    return _work()


@activity(retry=ONCE)
def call_back(shipment: Shipment, receipt: Receipt | None) -> None:
    _work()


@activity(retry=ONCE)
def bill(of: Bill) -> None:
    _work()


fulfilment_saga = Saga(
    "fulfilment",
    input=Fulfilment,
    output=FulfilmentResult,
    timeout=600.0,
    steps=[
        Step(reserve, compensation=release, outcome="not_reserved"),
        Parallel(
            [
                Step(score, compensation=None),
                Step(authorize, compensation=void, outcome="not_paid"),
            ],
            Step(pick, compensation=put_back, outcome="not_picked"),
        ),
        Each(
            "input.parcels",
            Step(ship, compensation=call_back, outcome="not_shipped"),
            concurrency=2,
        ),
        Step(bill, compensation=None, outcome="not_billed"),
    ],
)

parcels_saga = Saga(
    "parcels",
    input=Fulfilment,
    output=FulfilmentResult,
    steps=[Each("input.parcels", Step(ship, compensation=call_back, outcome="not_shipped"))],
)


def order_of(parcels: int, order_id: str = "o-1") -> Fulfilment:
    """Make an order with so many parcels."""
    return Fulfilment(
        order_id=order_id, parcels=[Parcel(sku=f"s{n}") for n in range(1, parcels + 1)]
    )


def begin(order_id: str, *, parcels: int = 3) -> Handle[FulfilmentResult]:
    """Start one; with eager tasks it has ended, or is stuck, when this returns."""
    return fulfilment_saga.start(order_of(parcels, order_id), saga_id=order_id)


class Moves:
    """Moves sagas of this definition by hand: what `do` and its like are given is claimed, and ends so."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.log: SagaLog = log_of(app)

    def start(self, saga_id: str, *, parcels: int = 3) -> None:
        given = canonical_json(order_of(parcels, saga_id).model_dump(mode="json"))
        self.log.starts.start_saga(saga_id, fulfilment_saga.itinerary, given)
        self.advance(saga_id)

    def advance(self, saga_id: str) -> None:
        advance(self.app, saga_id)

    def claim(self, saga_id: str, *paths: str) -> None:
        for path in paths:
            answer = self.log.claim_step(
                saga_id, path, token=path, owner="worker:1:message", retries=9
            )
            assert type(answer).__name__ == "Run", (path, answer)

    def complete(self, saga_id: str, *paths: str) -> None:
        for path in paths:
            output = (
                "null" if path.endswith("undo") else canonical_json({"receipt": path, "score": 1})
            )
            self.log.complete_step(saga_id, path, token=path, output=output, link="")
            self.advance(saga_id)

    def do(self, saga_id: str, *paths: str) -> None:
        for path in paths:
            self.claim(saga_id, path)
            self.complete(saga_id, path)

    def put_off(self, saga_id: str, path: str, *, wait: float) -> None:
        self.claim(saga_id, path)
        how: Any = {"token": path, "error": ERROR, "unknown": True, "cost": "attempt"}
        self.log.retry_step(saga_id, path, wait=wait, **how)

    def lose(self, saga_id: str, *paths: str) -> None:
        for path in paths:
            self.claim(saga_id, path)
            how: Any = {"token": path, "error": ERROR, "outcome": "lost", "link": ""}
            self.log.fail_step(saga_id, path, unknown=False, refused=False, **how)
            self.advance(saga_id)

    def ship_first(self, saga_id: str, *, parcels: int = 3) -> None:
        """Bring one to its parcels."""
        self.start(saga_id, parcels=parcels)
        self.do(saga_id, "reserve", "score", "authorize", "pick")

    def be_stuck(self, saga_id: str, *, parcels: int = 3, at: Sequence[int] = (2,)) -> None:
        """Let the bill fail, and so the undo of these parcels."""
        self.ship_first(saga_id, parcels=parcels)
        self.do(saga_id, *(f"ship[{item}]" for item in range(1, parcels + 1)))
        self.lose(saga_id, "bill")
        for item in range(parcels, 0, -1):
            (self.lose if item in at else self.do)(saga_id, f"ship[{item}]:undo")
        self.do(saga_id, "pick:undo", "authorize:undo", "reserve:undo")
        assert self.log.read_status(saga_id) == "stuck"
