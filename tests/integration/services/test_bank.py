"""The bank's captures: it ignores idempotency keys, and tells what it took for an order."""

from tests.integration.services.sandbox_client import PRIMARY, Sandbox


def capture(sandbox: Sandbox, order_id: str, key: str) -> str:
    answer = sandbox.http.post(
        "/bank/captures", json=PRIMARY.body(order_id), headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 201
    return answer.json()["capture_id"]


def found(sandbox: Sandbox, order_id: str) -> list[str]:
    answer = sandbox.http.get("/bank/captures", params={"order_id": order_id}).raise_for_status()
    return [each["capture_id"] for each in answer.json()["captures"]]


def test_a_call_under_a_key_that_came_before_takes_the_money_again(
    sandbox: Sandbox, order_id: str, key: str
):
    first, second = capture(sandbox, order_id, key), capture(sandbox, order_id, key)
    assert first != second
    entry = sandbox.ledger(order_id)
    assert (entry["charges"], entry["charged"], entry["duplicates"]) == (2, "39.80", 1)


def test_the_captures_of_an_order_are_found_by_its_id(sandbox: Sandbox, order_id: str, key: str):
    assert found(sandbox, order_id) == []
    first = capture(sandbox, order_id, key)
    capture(sandbox, f"{order_id}-other", key)
    assert found(sandbox, order_id) == [first]
    assert sandbox.ledger(order_id)["duplicates"] == 0


def test_a_capture_is_refused_for_a_request_that_is_none(sandbox: Sandbox, order_id: str):
    answer = sandbox.http.post("/bank/captures", json=PRIMARY.body(order_id, amount="0.00"))
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidRequest")
    assert found(sandbox, order_id) == []
