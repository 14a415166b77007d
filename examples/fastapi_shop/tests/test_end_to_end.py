"""Orders with a server, a worker, a broker and a saga log that are real. The Redis at REDIS_URL must have no other worker."""

import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from uuid import uuid4

import httpx
import pytest

PATIENCE = 60.0


@contextmanager
def running(*arguments):
    program = subprocess.Popen([sys.executable, "-m", *arguments])
    try:
        yield
    finally:
        program.terminate()
        program.wait()


@pytest.fixture
def client(tmp_path):
    """Give a client of a server, beside which a worker runs."""
    socket = str(tmp_path / "shop.sock")
    transport = httpx.HTTPTransport(uds=socket)
    with (
        running("celery", "-A", "shop", "worker", "--concurrency", "1"),
        running("uvicorn", "shop.api:api", "--uds", socket),
        httpx.Client(transport=transport, base_url="http://shop", timeout=PATIENCE) as client,
    ):
        eventually(lambda: is_up(client))
        yield client


def is_up(client):
    with suppress(httpx.TransportError):
        return client.get("/docs").is_success


def eventually(holds):
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_orders_are_confirmed_and_rejected(client, tea):
    order = {"product_id": tea, "quantity": 2, "card": "visa"}
    paid = client.put(f"/orders/{uuid4()}", json=order)
    unpaid = client.put(f"/orders/{uuid4()}", json={**order, "quantity": 1, "card": "declined"})
    for answer, state in ((paid, "confirmed"), (unpaid, "rejected")):
        url = f"/orders/{answer.json()['order_id']}"
        eventually(lambda url=url: client.get(url).json()["state"] != "placed")
        assert client.get(url).json()["state"] == state
    assert client.get(f"{url}/steps").json()["reserve_stock"] == "compensated"
