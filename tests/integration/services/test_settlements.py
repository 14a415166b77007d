"""Settlements: each charged order is in one, until that is reopened."""

from decimal import Decimal

from tests.integration.services.sandbox_client import PRIMARY, Sandbox, unique


def settle(sandbox: Sandbox, key: str, *, day: str = "2027-01-31"):
    return sandbox.http.post("/settlements", json={"day": day}, headers={"Idempotency-Key": key})


def test_a_charged_order_is_settled_once(sandbox: Sandbox, order_id: str):
    settle(sandbox, unique("before")).raise_for_status()
    sandbox.post(PRIMARY, order_id, f"{order_id}:pay")
    key = unique("settlement")
    first = settle(sandbox, key).json()
    assert (first["orders"], first["charged"]) == (1, "19.90")
    assert settle(sandbox, key).json() == first
    assert settle(sandbox, unique("next")).json()["orders"] == 0


def test_what_is_reopened_is_in_the_next_one(sandbox: Sandbox, order_id: str):
    settle(sandbox, unique("before")).raise_for_status()
    sandbox.post(PRIMARY, order_id, f"{order_id}:pay")
    key = unique("settlement")
    first = settle(sandbox, key).json()
    for _ in range(2):
        sandbox.http.delete(f"/settlements/{key}").raise_for_status()
    assert settle(sandbox, key).status_code == 410
    assert sandbox.http.get(f"/settlements/{first['settlement_id']}").status_code == 404
    assert settle(sandbox, unique("next")).json()["orders"] == 1


def test_one_that_was_reopened_before_it_came_is_never_made(sandbox: Sandbox):
    key = unique("settlement")
    sandbox.http.delete(f"/settlements/{key}").raise_for_status()
    assert settle(sandbox, key).status_code == 410


def test_it_is_shown_beside_what_the_ledger_says_now(sandbox: Sandbox, order_id: str):
    settle(sandbox, unique("before")).raise_for_status()
    sandbox.post(PRIMARY, order_id, f"{order_id}:pay")
    first = settle(sandbox, unique("settlement")).json()

    def shown():
        return sandbox.http.get(f"/settlements/{first['settlement_id']}").json()

    assert shown() == {**first, "in_ledger": "19.90"}
    sandbox.http.delete(f"/payments/primary/charges/{order_id}:pay").raise_for_status()
    assert Decimal(shown()["in_ledger"]) == 0
