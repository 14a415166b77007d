"""Rehearsals of sagas with async activities, and in the middle of a running loop, as in a test that is async itself."""

import asyncio

import pytest
from pydantic import BaseModel

from amends import NotDone, Refused, RetryPolicy, Saga, Step, activity
from tests.support.sagas.awaited import Approval, Order, Receipt, order_sagas


@pytest.fixture(params=["chain", "inline"])
def saga(request):
    return order_sagas[request.param]


def run_through(rehearsal, saga, manner="quick"):
    handle = rehearsal.run(saga, Order(order_id="1", manner=manner))
    if handle.status == "running":
        handle.signal("approval", Approval())
    return handle.wait(0)


def test_async_activities_are_rehearsed_as_others(rehearsal, saga):
    rehearsal.at(saga, "charge").raises(NotDone("busy"))
    rehearsal.at(saga, "ship").raises(Refused("no van"))
    assert run_through(rehearsal, saga).receipt == "paid 1"
    assert (rehearsal.done, rehearsal.undone) == (["charge", "pack"], ["charge"])


def test_they_are_rehearsed_in_a_running_loop(rehearsal, saga):
    async def main():
        return run_through(rehearsal, saga, "away")

    result = asyncio.run(main())
    assert (result.outcome, result.receipt) == ("completed", "paid 1")
    assert [call.attempt for call in rehearsal.calls if call.path == "charge"] == [1, 2]


def test_a_rehearsal_is_awaited(rehearsal, saga):
    async def main():
        handle = await saga.start_async(Order(order_id="2"), saga_id="trip-2")
        early = await handle.wait_async(5, until="pack")
        await handle.signal_async("approval", Approval())
        return early, await handle.wait_async(5), await handle.status_async()

    early, result, status = asyncio.run(main())
    assert early.receipt == result.receipt == "paid 2"
    assert (result.outcome, status) == ("completed", "completed")


@pytest.mark.parametrize("is_async", [True, False])
def test_a_function_in_place_of_an_activitys_own_may_be_async_or_not(rehearsal, saga, is_async):
    async def charge_later(order):
        await asyncio.sleep(0)
        return Receipt(receipt="instead")

    def charge_now(order):
        return Receipt(receipt="instead")

    rehearsal.at(saga, "charge").replace(charge_later if is_async else charge_now)
    assert run_through(rehearsal, saga).receipt == "instead"


def test_its_error_in_a_running_loop_is_the_activitys(rehearsal, saga):
    async def main():
        return run_through(rehearsal, saga, "refused")

    assert asyncio.run(main()).outcome == "refused"


class Outcome(BaseModel):
    outcome: str


@activity(retry=RetryPolicy(max_attempts=1))
def forget_to_await(order: Order) -> Receipt:
    return Receipt(receipt="soon") if order.manner == "quick" else later()  # type: ignore[return-value]


async def later():
    return Receipt(receipt="later")


forgetful_saga = Saga(
    "forgetful",
    input=Order,
    output=Outcome,
    steps=[Step(forget_to_await, compensation=None, outcome="not_awaited")],
)


@pytest.mark.filterwarnings("ignore:coroutine 'later' was never awaited")
def test_a_function_that_forgets_to_await_fails_as_in_a_worker(rehearsal):
    assert rehearsal.run(forgetful_saga, Order(order_id="1")).wait(0).outcome == "completed"
    slow = rehearsal.run(forgetful_saga, Order(order_id="2", manner="slow"))
    assert slow.wait(0).outcome == "not_awaited"
