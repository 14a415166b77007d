"""The bytes that a finished order keeps: of the reference system's saga, run through the system."""

import multiprocessing
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import redis

from benchmarks.counting import memory_of_sagas
from demo.system import running_system

ORDERS: Final = 20
PATIENCE: Final = 60.0


def measure_order(directory: Path) -> float:
    """Run the whole system in this directory, let orders complete, and return the bytes that one keeps."""
    spawn = multiprocessing.get_context("spawn")
    with running_system(directory, concurrency=2) as system:
        urls = system.urls
        log = urlsplit(urls["AMENDS_BACKEND"])
        server, database = f"redis://{log.netloc}", int(log.path.strip("/"))
        with redis.Redis.from_url(server) as client:
            client.config_set("zset-max-ziplist-entries", 0)  # as in a log with many sagas
        with ProcessPoolExecutor(1, spawn, initializer=_prepare, initargs=(urls,)) as pool:
            pool.submit(_complete_orders, urls["SERVICES_URL"]).result()
        return memory_of_sagas(server, (database,)) / ORDERS


def _prepare(urls: Mapping[str, str]) -> None:
    os.environ.update(urls)


def _complete_orders(services: str) -> None:
    """Place orders and wait for them, in a process whose settings lead to the system."""
    from sagas.order import order_saga  # noqa: PLC0415 - reads its settings when it is imported
    from tasks.orders import Order, OrderItem  # noqa: PLC0415

    stock = f"{services}/inventory/stock/fountain-pen"
    httpx.put(stock, json={"quantity": ORDERS * 2}).raise_for_status()
    item = OrderItem(product_id="fountain-pen", quantity=2, price=Decimal("34.00"))
    orders = [
        Order(
            order_id=f"order-{1000 + number}",
            user_id="ada",
            items=[item],
            total_amount=Decimal("68.00"),
            shipping_address="1 Long Lane, 1047 AB Amsterdam",
        )
        for number in range(ORDERS)
    ]
    for handle in order_saga.start_many(orders, saga_ids=[each.order_id for each in orders]):
        if (outcome := handle.wait(PATIENCE).outcome) != "completed":
            raise RuntimeError(
                f"{handle.id} is {outcome}: its bytes are not those of a finished order"
            )
