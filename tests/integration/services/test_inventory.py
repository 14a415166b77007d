"""Inventory reserves all items of an order or none, and never more than there is."""

from tests.integration.services.sandbox_client import INVENTORY, Sandbox, unique


def test_the_stock_is_set_and_listed(sandbox: Sandbox, product_id: str):
    answer = sandbox.http.put(f"/inventory/stock/{product_id}", json={"quantity": 10})
    assert answer.status_code == 200
    assert {"product_id": product_id, "quantity": 10} in sandbox.http.get("/inventory/stock").json()
    sandbox.set_stock(product_id, 3)
    assert sandbox.stock(product_id) == 3


def test_a_reservation_takes_units_and_its_release_puts_them_back(
    sandbox: Sandbox, order_id: str, key: str, product_id: str
):
    sandbox.set_stock(product_id, 10)
    items = [{"product_id": product_id, "quantity": 4}]
    answer = sandbox.post(INVENTORY, order_id, key, items=items)
    assert answer.status_code == 201
    assert answer.json()["reservation_id"]
    assert sandbox.stock(product_id) == 6
    sandbox.undo(INVENTORY, key)
    sandbox.undo(INVENTORY, key)
    assert sandbox.stock(product_id) == 10


def test_one_short_item_refuses_them_all(
    sandbox: Sandbox, order_id: str, key: str, product_id: str
):
    sandbox.set_stock(product_id, 10)
    items = [
        {"product_id": product_id, "quantity": 1},
        {"product_id": unique("zzz-unknown"), "quantity": 1},
    ]
    answer = sandbox.post(INVENTORY, order_id, key, items=items)
    assert (answer.status_code, answer.json()["error"]) == (409, "InsufficientStock")
    assert sandbox.stock(product_id) == 10
    assert sandbox.ledger(order_id)["reserved"] == {}


def test_two_lines_of_one_product_are_counted_together(
    sandbox: Sandbox, order_id: str, key: str, product_id: str
):
    sandbox.set_stock(product_id, 3)
    lines = [{"product_id": product_id, "quantity": 2}] * 2
    assert sandbox.post(INVENTORY, order_id, key, items=lines).status_code == 409
    sandbox.set_stock(product_id, 4)
    assert sandbox.post(INVENTORY, order_id, key, items=lines).status_code == 201
    assert sandbox.ledger(order_id)["reserved"] == {product_id: 4}


def test_s7_a_repeated_reservation_of_the_last_unit_is_still_a_success(
    sandbox: Sandbox, order_id: str, key: str, product_id: str
):
    sandbox.set_stock(product_id, 1)
    items = [{"product_id": product_id, "quantity": 1}]
    first = sandbox.post(INVENTORY, order_id, key, items=items)
    second = sandbox.post(INVENTORY, order_id, key, items=items)
    assert second.status_code == 201
    assert second.json() == first.json()
    assert sandbox.stock(product_id) == 0


def test_a_refused_reservation_may_succeed_after_restocking(
    sandbox: Sandbox, order_id: str, key: str, product_id: str
):
    items = [{"product_id": product_id, "quantity": 1}]
    assert sandbox.post(INVENTORY, order_id, key, items=items).status_code == 409
    sandbox.set_stock(product_id, 1)
    assert sandbox.post(INVENTORY, order_id, key, items=items).status_code == 201
