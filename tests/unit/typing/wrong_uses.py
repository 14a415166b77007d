"""Right and wrong uses of the typed interface, for `test_typing.py`; nothing runs this.

A line that mypy must refuse ends with ``# refused:`` and the error's code.
"""

from collections.abc import Awaitable
from typing import Any, assert_type

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from amends import (
    Activity,
    Compensation,
    Each,
    Event,
    Handle,
    Parallel,
    RetryPolicy,
    Saga,
    SagaStatus,
    Signalled,
    Snapshot,
    Step,
    activity,
    find,
    find_async,
    get_async,
)
from amends.activities.definition import AsyncActivity, AsyncCompensation


class Order(BaseModel):
    order_id: str


class Other(BaseModel):
    other_id: str


class Receipt(BaseModel):
    receipt: str


class Result(BaseModel):
    outcome: str


class BigOrder(Order):
    pallets: int


@activity
def charge(order: Order) -> Receipt:
    return Receipt(receipt=order.order_id)


@activity(retry=RetryPolicy(max_attempts=2), start_to_close_timeout=5.0, rate_limit="10/s")
def charge_otherwise(order: Order) -> Receipt:
    return Receipt(receipt=order.order_id)


@activity
def refund(order: Order, receipt: Receipt | None) -> None: ...


@activity(queue="undo")
def refund_by_hand(order: Order, receipt: Receipt | None) -> None: ...


@activity
def tell(order: Order) -> None: ...


@activity
def untell(order: Order, nothing: None) -> None: ...


@activity
def charge_other(other: Other) -> Receipt:
    return Receipt(receipt=other.other_id)


@activity
def find_charge(order: Order) -> Receipt | None:
    return None


@activity(retry=RetryPolicy(max_attempts=9))
def find_charge_slowly(order: Order) -> Receipt | None:
    return None


@activity
def find_other_charge(other: Other) -> Receipt | None:
    return None


@activity
def find_booking(order: Order) -> Other | None:
    return None


@activity
async def charge_in_time(order: Order) -> Receipt:
    return Receipt(receipt=order.order_id)


@activity(retry=RetryPolicy(max_attempts=2))
async def find_charge_in_time(order: Order) -> Receipt | None:
    return None


@activity
async def refund_in_time(order: Order, receipt: Receipt | None) -> None: ...


@activity(queue="undo")
async def refund_by_hand_in_time(order: Order, receipt: Receipt | None) -> None: ...


@activity
def book(order: Order) -> Other:
    return Other(other_id=order.order_id)


@activity
def refund_other(other: Other, receipt: Receipt | None) -> None: ...


@activity
def cancel_booking(order: Order, other: Other | None) -> None: ...


# Right uses

assert_type(charge, Activity[Order, Receipt])
assert_type(charge_otherwise, Activity[Order, Receipt])
assert_type(refund, Compensation[Order, Receipt | None])
assert_type(refund_by_hand, Compensation[Order, Receipt | None])
assert_type(tell, Activity[Order, None])
assert_type(charge(Order(order_id="1")), Receipt)

good = Saga(
    "good",
    input=Order,
    output=Result,
    search={"order": "input.order_id"},
    steps=[
        Step(charge, fallback=charge_otherwise, compensation=refund),
        Step(charge_otherwise, compensation=refund_by_hand),
        Step(tell, compensation=None, on_failure="continue"),
        Step(tell, name="tell_again", compensation=untell),
        Step(book, compensation=cancel_booking, outcome={OSError: "away", Exception: "failed"}),
    ],
)
assert_type(good.start(Order(order_id="1"), saga_id="1").wait(timeout=1.0), Result)
assert_type(good.get("1").wait(), Result)
assert_type(find(saga=good, order="1"), list[Handle[Result]])
assert_type(find(saga="good", order=1, limit=5, after="2"), list[Handle[dict[str, Any]]])
assert_type(find(order="1", after=good.get("2")), list[Handle[dict[str, Any]]])
assert_type(good.get("1").wait(5.0, until="charge"), Result)
assert_type(good.get("1").wait(until=Step(charge, compensation=refund)), Result)
charge.delay(Order(order_id="1"))
charge.delay({"order_id": "1"})

assert_type(Step(charge, compensation=refund), Step[Order, Receipt])
assert_type(Step(charge, fallback=charge_otherwise, compensation=refund), Step[Order, Receipt])
assert_type(Step(tell, compensation=untell), Step[Order, None])

assert_type(find_charge, Activity[Order, Receipt | None])
assert_type(find_charge_slowly, Activity[Order, Receipt | None])
assert_type(Step(charge, compensation=refund, verify=find_charge), Step[Order, Receipt])
assert_type(Step(charge, compensation=None, verify=find_charge), Step[Order, Receipt])
assert_type(Step(charge), Step[Order, Receipt])  # past the point of no return

Saga(
    "shapes",
    input=Order,
    output=Result,
    steps=[
        Step(charge, compensation=refund, verify=find_charge_slowly, settle=2.0, when="input.paid"),
        Parallel(
            Step(book, compensation=cancel_booking),
            [Step(charge_otherwise, compensation=refund_by_hand), Step(tell, compensation=untell)],
            (Step(tell, name="tell_again", compensation=None),),
            undo="ordered",
            when="not input.paid",
        ),
        Step(charge, name="again", pivot=True),
        Each("input.items", Step(book, name="book_each"), concurrency=10, when="input.paid"),
        Each("input.items", Step(tell, name="tell_each", compensation=None), concurrency=None),
    ],
)

assert_type(charge_in_time, AsyncActivity[Order, Receipt])
assert_type(find_charge_in_time, AsyncActivity[Order, Receipt | None])
assert_type(refund_in_time, AsyncCompensation[Order, Receipt | None])
assert_type(Step(charge_in_time, compensation=refund_in_time), Step[Order, Receipt])
assert_type(Step(charge_in_time, compensation=refund), Step[Order, Receipt])
assert_type(
    Step(
        charge,
        fallback=charge_in_time,
        compensation=refund_by_hand_in_time,
        verify=find_charge_in_time,
    ),
    Step[Order, Receipt],
)


async def await_all(handle: Handle[Result]) -> None:
    """Use what coroutines await."""
    assert_type(await charge_in_time(Order(order_id="1")), Receipt)
    assert_type(await good.start_async(Order(order_id="1"), saga_id="1"), Handle[Result])
    assert_type(await good.start_many_async([Order(order_id="1")]), list[Handle[Result]])
    assert_type(await good.get_async("1"), Handle[Result])
    assert_type(await get_async("1"), Handle[dict[str, Any]])
    assert_type(await find_async(saga=good, order="1"), list[Handle[Result]])
    assert_type(await find_async(order="1", limit=5), list[Handle[dict[str, Any]]])
    assert_type(await handle.wait_async(timeout=1.0, until="charge"), Result)
    assert_type(await handle.status_async(), SagaStatus)
    assert_type(await handle.snapshot_async(), Snapshot)
    assert_type(await handle.history_async(), list[Event])
    assert_type(await handle.cancel_async(by="ada"), bool)
    assert_type(await handle.signal_async("approval", {}), Signalled)
    await handle.skip_async("charge", output=Receipt(receipt="1"))
    await good.start_async(Other(other_id="1"))  # refused: arg-type
    await charge_in_time(Other(other_id="1"))  # refused: arg-type
    await handle.wait_async("1")  # refused: arg-type
    await handle.cancel_async("ada")  # refused: call-arg


# Wrong uses

Step(charge_in_time, compensation=refund_other)  # refused: misc
Step(charge_in_time, verify=find_booking)  # refused: misc

Step(charge, compensation=refund_other)  # refused: misc
Step(charge, compensation=cancel_booking)  # refused: misc
Step(charge, compensation=tell)  # refused: arg-type
Step(charge, verify=find_booking)  # refused: misc
Step(charge, compensation=refund, verify=find_other_charge)  # refused: misc
Step(charge, compensation=refund, verify=refund)  # refused: arg-type
Step(charge, compensation=refund, verify="find_charge")  # refused: arg-type
Step(charge, compensation=refund, verify=find_charge, settle="2")  # refused: arg-type
Step(charge, compensation=None, when=True)  # refused: arg-type
Step(charge, compensation=None, pivot="yes")  # refused: arg-type
Parallel("charge", "book")  # refused: arg-type
Parallel(charge, book)  # refused: arg-type
Parallel(Step(charge), ["book"])  # refused: list-item
Parallel(Step(charge), [charge])  # refused: list-item
Parallel(Step(charge), Step(book), undo="reverse")  # refused: arg-type
Parallel(Step(charge), Step(book), concurrency=1)  # refused: call-arg
Each("input.items", charge)  # refused: arg-type
Each("input.items", [Step(charge)])  # refused: arg-type
Each("input.items", Parallel(Step(charge), Step(book)))  # refused: arg-type
Each("input.items", Step(charge), concurrency="10")  # refused: arg-type
Each(["input.items"], Step(charge))  # refused: arg-type
Saga("bad", input=Order, output=Result, steps=["charge"])  # refused: list-item
Step(refund, compensation=None)  # refused: arg-type
Step(charge, fallback=book, compensation=refund)  # refused: misc
Step(charge, fallback=charge_other, compensation=refund)  # refused: misc
Step(charge, compensation=None, on_failure="ignore")  # refused: arg-type
Step(charge, compensation=None, outcome={Exception: 1})  # refused: dict-item

good.start(Other(other_id="1"))  # refused: arg-type
good.start_in(Session(), Other(other_id="1"))  # refused: call-overload
good.start_in("default", Order(order_id="1"))  # refused: call-overload
good.start_on_commit(Other(other_id="1"))  # refused: arg-type
assert_type(good.start_in(Session(), Order(order_id="1")), Handle[Result])
assert_type(good.start_in(AsyncSession(), Order(order_id="1")), Awaitable[Handle[Result]])
good.start({"order_id": "1"})  # refused: arg-type
good.start(Order(order_id="1"), "1")  # refused: call-arg
find("1")  # refused: call-overload
find(order="1", limit="5")  # refused: call-overload
Saga("bad", input=Order, output=Result, steps=[], search={"order": 1})  # refused: dict-item
charge(Other(other_id="1"))  # refused: arg-type
wrong: Order = good.get("1").wait()  # refused: assignment
good.get("1").wait(until=charge)  # refused: arg-type
good.get("1").wait(5.0, "charge")  # refused: call-arg


@activity  # refused: type-var
def takes_no_model(order: str) -> Receipt:
    return Receipt(receipt=order)


@activity  # refused: type-var
async def gives_no_model_in_time(order: Order) -> str:
    return order.order_id


@activity  # refused: type-var
def gives_no_model(order: Order) -> str:
    return order.order_id


@activity  # refused: arg-type
def cannot_take_none(order: Order, receipt: Receipt) -> None: ...


@activity(queue="undo")  # refused: arg-type
def cannot_take_none_either(order: Order, receipt: Receipt) -> None: ...


@activity  # refused: arg-type
def gives_something_back(order: Order, receipt: Receipt | None) -> Receipt:
    return receipt or Receipt(receipt=order.order_id)
