"""However many callers come at once: one effect per key, and no unit sold twice."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest

from tests.integration.services.sandbox_client import (
    INVENTORY,
    PRIMARY,
    RECEIVERS,
    Receiver,
    Sandbox,
    ServerProcess,
)

THREADS = 20

Result = TypeVar("Result")


def at_once(act: Callable[[int], Result]) -> list[Result]:
    """Run `act` on all threads, which begin together."""
    start = Barrier(THREADS)

    def run(number: int) -> Result:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(run, range(THREADS)))


@pytest.mark.parametrize("receiver", RECEIVERS, ids=lambda r: r.service)
def test_s8_one_key_from_many_threads_makes_one_effect(
    sandbox: Sandbox, receiver: Receiver, order_id: str, key: str
):
    before = sandbox.stock("plentiful")
    answers = at_once(lambda _: sandbox.post(receiver, order_id, key))
    assert {answer.status_code for answer in answers} == {receiver.status}
    assert len({answer.text for answer in answers}) == 1
    assert sandbox.ledger(order_id)["duplicates"] == 0
    assert sandbox.stock("plentiful") == before - (2 if receiver is INVENTORY else 0)


def test_the_last_five_units_go_to_five_callers(sandbox: Sandbox, order_id: str, product_id: str):
    sandbox.set_stock(product_id, 5)
    items = [{"product_id": product_id, "quantity": 1}]
    answers = at_once(
        lambda n: sandbox.post(INVENTORY, f"{order_id}-{n}", f"{order_id}:{n}", items=items)
    )
    assert Counter(answer.status_code for answer in answers) == {201: 5, 409: THREADS - 5}
    assert sandbox.stock(product_id) == 0


def test_s5_many_undos_of_one_key_undo_once(
    sandbox: Sandbox, order_id: str, key: str, product_id: str
):
    sandbox.set_stock(product_id, 5)
    items = [{"product_id": product_id, "quantity": 1}]
    sandbox.post(INVENTORY, order_id, key, items=items)
    answers = at_once(lambda _: sandbox.undo(INVENTORY, key))
    assert {answer.status_code for answer in answers} == {200}
    assert sandbox.stock(product_id) == 5
    assert sandbox.ledger(order_id)["duplicates"] == 0


def test_an_undo_beside_its_action_leaves_nothing_in_force(
    sandbox: Sandbox, order_id: str, product_id: str
):
    """Whoever comes first: the effect is taken back, or it is never made."""
    sandbox.set_stock(product_id, 100)
    items = [{"product_id": product_id, "quantity": 1}]

    def act(number: int) -> int:
        order = f"{order_id}-{number // 2}"
        if number % 2:
            return sandbox.undo(INVENTORY, f"{order}:reserve").status_code
        return sandbox.post(INVENTORY, order, f"{order}:reserve", items=items).status_code

    statuses = at_once(act)
    assert set(statuses[1::2]) == {200}
    assert set(statuses[::2]) <= {201, 410}
    assert sandbox.stock(product_id) == 100
    entries = [sandbox.ledger(f"{order_id}-{n}") for n in range(THREADS // 2)]
    assert [entry["reserved"] for entry in entries] == [{}] * len(entries)
    assert [entry["duplicates"] for entry in entries] == [0] * len(entries)


def test_two_servers_on_one_database_agree(database: Path, order_id: str, key: str):
    with ServerProcess(database) as first, ServerProcess(database) as second:
        sandboxes = [Sandbox(first.url), Sandbox(second.url)]
        sandboxes[0].set_stock("scarce", 5)
        items = [{"product_id": "scarce", "quantity": 1}]
        charged = at_once(lambda n: sandboxes[n % 2].post(PRIMARY, order_id, key))
        reserved = at_once(
            lambda n: sandboxes[n % 2].post(INVENTORY, f"order-{n}", f"key-{n}", items=items)
        )
        sandboxes[0].set_faults(PRIMARY, down=True)
        down = sandboxes[1].post(PRIMARY, order_id, key)
        assert len({answer.text for answer in charged}) == 1
        assert Counter(answer.status_code for answer in reserved) == {201: 5, 409: THREADS - 5}
        assert down.status_code == 503
        assert sandboxes[1].ledger(order_id)["charges"] == 1
