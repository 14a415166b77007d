"""docs/async.md: its application answers, early and late, and says what its errors are."""

import asyncio
import re
import uuid
from pathlib import Path

import httpx
import pytest
from celery.contrib.testing.worker import start_worker

PAGE = (Path(__file__).parents[3] / "docs" / "async.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shop(redis_url):
    """Give the names of the page's file, with a worker of its app."""
    code = re.findall(r"```python\n(from typing import Annotated.*?)```", PAGE, re.DOTALL)[0]
    names = {"__name__": "shop_of_the_page"}
    exec(code, names)  # noqa: S102 - the page's own
    app = names["app"]
    app.conf.update(broker_url=f"{redis_url}/4", amends_backend=f"{redis_url}/5")
    with start_worker(
        app, pool="threads", concurrency=2, perform_ping_check=False, shutdown_timeout=30
    ):
        yield names
    app.close()


def ask(shop, method, path, **how):
    async def send():
        transport = httpx.ASGITransport(shop["api"])
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return await client.request(method, path, **how)

    return asyncio.run(send())


def test_an_order_is_answered_as_soon_as_it_is_paid(shop):
    order = {"order_id": str(uuid.uuid4()), "amount": 7}
    answer = ask(shop, "POST", "/orders", json=order)
    assert answer.status_code == 202
    assert answer.json()["receipt"] in {f"7 paid for {order['order_id']}", None}
    shop["order_saga"].get(order["order_id"]).wait(60)
    looked = ask(shop, "GET", f"/orders/{order['order_id']}").json()
    assert looked == {"status": "completed", "outcome": "completed"}
    again = ask(shop, "POST", "/orders", json=order)
    assert again.json() == {
        "order_id": order["order_id"],
        "receipt": f"7 paid for {order['order_id']}",
        "outcome": "completed",
    }


def test_what_is_wrong_is_told(shop):
    order = {"order_id": str(uuid.uuid4()), "amount": 7}
    ask(shop, "POST", "/orders", json=order)
    other = ask(shop, "POST", "/orders", json={**order, "amount": 8})
    assert other.status_code == 409
    assert ask(shop, "GET", "/orders/unheard-of").status_code == 404
