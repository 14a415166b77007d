"""A saga for tests of the command line: something is bought and delivered, or given back."""

from pydantic import BaseModel

from amends import Refused, RetryPolicy, Saga, Step, activity
from amends.saga.handle import Handle

ONCE = RetryPolicy(max_attempts=1)


class Errand(BaseModel):
    errand_id: str
    address: str = "1 Long Lane"


class Goods(BaseModel):
    receipt: str


class ErrandResult(BaseModel):
    outcome: str
    receipt: str | None


class Shop:
    """Whether it takes back what it sold."""

    takes_back = True


@activity(retry=ONCE)
def buy(errand: Errand) -> Goods:
    return Goods(receipt=errand.errand_id)


@activity(retry=ONCE)
def give_back(errand: Errand, goods: Goods | None) -> None:
    if not Shop.takes_back:
        raise ConnectionError("the shop is closed")


@activity(retry=ONCE)
def deliver(errand: Errand) -> None:
    if errand.address == "Nowhere":
        raise Refused("nobody delivers to Nowhere")


errand_saga = Saga(
    "errand",
    input=Errand,
    output=ErrandResult,
    steps=[
        Step(buy, compensation=give_back, outcome="not_bought"),
        Step(deliver, compensation=None, outcome="not_delivered"),
    ],
)


def begin(errand_id: str, **changes: str) -> Handle[ErrandResult]:
    """Start one; with eager tasks it has ended, or is stuck, when this returns."""
    errand = Errand(errand_id=errand_id, **changes)
    return errand_saga.start(errand, saga_id=errand_id)
