"""Orders in a rehearsal: the API and the saga in this process, no worker and no Redis."""

from uuid import uuid4

import pytest
from sqlalchemy import func, select

from amends import LogUnavailable, NotDone
from shop.database import Payment, Product, sessions
from shop.sagas import order_saga

pytestmark = pytest.mark.anyio


@pytest.fixture
def place(client, tea, rehearsal):
    """Give a function that places an order. Its commit plays the saga to its end, or until it waits for a signal."""

    async def place(order_id=None, **given):
        order = {"product_id": tea, "quantity": 2, "card": "visa", **given}
        return await client.put(f"/orders/{order_id or uuid4()}", json=order)

    return place


async def state_of(client, answer):
    order_id = answer.json()["order_id"]
    return (await client.get(f"/orders/{order_id}")).json()["state"]


async def left(tea):
    async with sessions() as session:
        return (await session.get_one(Product, tea)).stock


async def paid():
    async with sessions() as session:
        return await session.scalar(select(func.coalesce(func.sum(Payment.cents), 0)))


async def test_an_order_is_confirmed(client, place, tea):
    answer = await place()
    assert answer.status_code == 200
    assert answer.json()["outcome"] == "completed"
    assert await state_of(client, answer) == "confirmed"
    assert (await left(tea), await paid()) == (1, 900)


async def test_an_order_that_is_not_paid_gives_its_stock_back(client, place, tea, rehearsal):
    answer = await place(card="declined")
    assert answer.json()["outcome"] == "unpaid"
    assert await state_of(client, answer) == "rejected"
    assert (await left(tea), await paid()) == (3, 0)
    assert rehearsal.undone == ["reserve_stock", "accept_order"]


async def test_an_order_of_too_many_is_rejected(place):
    assert (await place(quantity=4)).json()["outcome"] == "sold_out"


async def test_a_card_is_charged_once_though_the_reply_is_lost(place, rehearsal):
    rehearsal.at(order_saga, "charge_card").loses_reply()
    assert (await place()).json()["outcome"] == "completed"
    assert await paid() == 900


async def test_a_confirmation_that_fails_for_a_while_is_made_in_the_end(place, rehearsal):
    rehearsal.at(order_saga, "confirm_order").raises(NotDone("busy"), times=2)
    assert (await place()).json()["outcome"] == "completed"


async def test_a_request_that_is_repeated_is_the_same_order(place, tea):
    order_id = uuid4()
    await place(order_id)
    again = await place(order_id)
    assert (again.status_code, again.headers["location"]) == (202, f"/orders/{order_id}")
    assert await left(tea) == 1
    assert (await place(order_id, quantity=1)).status_code == 409


async def test_an_order_that_cannot_be_followed_is_placed_all_the_same(place, client, monkeypatch):
    async def fail(*_, **__):
        raise LogUnavailable("away")

    monkeypatch.setattr("amends.Handle.wait_async", fail)
    answer = await place()
    assert answer.status_code == 202
    assert await state_of(client, answer) == "confirmed"


@pytest.mark.parametrize(
    ("granted", "state", "cents"), [(True, "confirmed", 100_000), (False, "rejected", 0)]
)
async def test_an_expensive_order_waits_for_an_approval(client, place, granted, state, cents):
    product = {"name": "tea set", "price": 100_000, "stock": 1}
    product_id = (await client.post("/products", json=product)).json()
    answer = await place(product_id=product_id, quantity=1)
    assert (answer.json()["outcome"], await state_of(client, answer)) == (None, "placed")
    url = f"/orders/{answer.json()['order_id']}"
    assert (await client.get(f"{url}/steps")).json()["approval"] == "waiting"
    for _ in range(2):  # the second one gets the first one's answer
        approval = await client.put(
            f"{url}/approval",
            json={"granted": granted, "by": "ada"},
            headers={"Idempotency-Key": "click-1"},
        )
        assert approval.json() == "taken"
    assert await state_of(client, answer) == state
    assert await paid() == cents


async def test_what_is_not_there_is_told(client, place):
    order_id = uuid4()
    assert (await client.get(f"/orders/{order_id}")).status_code == 404
    assert (await client.get(f"/orders/{order_id}/steps")).json() == {
        "detail": f"there is no saga '{order_id}'"
    }
    assert (await place(product_id=0)).status_code == 422
