"""What the payments, shipping, notifications and the echo accept, refuse and answer."""

import pytest

from tests.integration.services.sandbox_client import (
    EXTERNAL,
    INVENTORY,
    NOTIFICATIONS,
    PRIMARY,
    SHIPPING,
    Receiver,
    Sandbox,
)


@pytest.mark.parametrize(
    ("user_id", "error"),
    [("poor-ann", "InsufficientFunds"), ("expired-bob", "InvalidPaymentMethod")],
)
def test_a_user_who_cannot_pay_is_refused(
    sandbox: Sandbox, order_id: str, key: str, user_id: str, error: str
):
    answer = sandbox.post(PRIMARY, order_id, key, user_id=user_id)
    assert (answer.status_code, answer.json()["error"]) == (402, error)
    assert sandbox.ledger(order_id)["charges"] == 0


def test_an_undeliverable_address_is_refused(sandbox: Sandbox, order_id: str, key: str):
    answer = sandbox.post(SHIPPING, order_id, key, address="1 Road, Nowhere")
    assert (answer.status_code, answer.json()["error"]) == (422, "UndeliverableAddress")
    assert sandbox.ledger(order_id)["shipments"] == 0


@pytest.mark.parametrize(
    ("receiver", "field"),
    [(PRIMARY, "transaction_id"), (SHIPPING, "shipment_id"), (INVENTORY, "reservation_id")],
    ids=lambda value: getattr(value, "service", value),
)
def test_what_is_made_gets_an_id_of_its_own(
    sandbox: Sandbox, order_id: str, receiver: Receiver, field: str
):
    ids = {sandbox.post(receiver, order_id, f"{order_id}:{n}").json()[field] for n in range(3)}
    assert len(ids) == 3


def test_a_notification_is_accepted(sandbox: Sandbox, order_id: str, key: str):
    assert sandbox.post(NOTIFICATIONS, order_id, key).status_code == 202
    assert sandbox.ledger(order_id)["notifications"] == 1


@pytest.mark.parametrize("body", [{"a": [1, None, "x"]}, [1, 2], "text", 7, {}])
def test_the_external_echo_answers_the_body(sandbox: Sandbox, key: str, body: object):
    answer = sandbox.http.post(EXTERNAL.path, json=body, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()) == (200, body)


@pytest.mark.parametrize(
    "amount",
    [19.9, 20, "-1.00", "0.00", "1e3", "NaN", "1.005", "", " 1.00", "\u0661.00", None, True],
)
def test_money_is_a_positive_decimal_in_a_string(
    sandbox: Sandbox, order_id: str, key: str, amount: object
):
    answer = sandbox.post(PRIMARY, order_id, key, amount=amount)
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidRequest")
    assert "amount" in answer.json()["message"]


@pytest.mark.parametrize(
    ("receiver", "changed"),
    [
        (PRIMARY, {"order_id": ""}),
        (PRIMARY, {"currency": "euro"}),
        (INVENTORY, {"items": []}),
        (INVENTORY, {"items": [{"product_id": "p", "quantity": 0}]}),
        (INVENTORY, {"items": [{"product_id": "p", "quantity": 1.5}]}),
        (INVENTORY, {"items": [{"product_id": "p", "quantity": 10**30}]}),
        (SHIPPING, {"address": None}),
        (NOTIFICATIONS, {"message": 3}),
    ],
    ids=str,
)
def test_an_invalid_request_is_not_mistaken_for_a_refusal(
    sandbox: Sandbox, key: str, receiver: Receiver, changed: dict[str, object]
):
    body = {**receiver.body("some-order"), **changed}
    answer = sandbox.http.post(receiver.path, json=body, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidRequest")


def test_a_body_that_is_no_json_is_an_invalid_request(sandbox: Sandbox, key: str):
    answer = sandbox.http.post(
        PRIMARY.path,
        content="{nonsense",
        headers={"Idempotency-Key": key, "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidRequest")


def test_an_unknown_payment_channel_is_an_invalid_request(
    sandbox: Sandbox, order_id: str, key: str
):
    cash = Receiver(service="", path="/payments/cash/charges", fields=PRIMARY.fields)
    assert sandbox.post(cash, order_id, key).json()["error"] == "InvalidRequest"


def test_the_framework_errors_have_the_same_form(sandbox: Sandbox):
    unknown = sandbox.http.get("/unknown")
    wrong_method = sandbox.http.put(NOTIFICATIONS.path)
    assert (unknown.status_code, unknown.json()["error"]) == (404, "NotFound")
    assert (wrong_method.status_code, wrong_method.json()["error"]) == (405, "MethodNotAllowed")


def test_health_and_openapi_are_served(sandbox: Sandbox):
    assert sandbox.http.get("/health").status_code == 200
    assert sandbox.http.get("/docs").status_code == 200
    assert "/payments/{channel}/charges" in sandbox.http.get("/openapi.json").json()["paths"]
