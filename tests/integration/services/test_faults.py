"""Faults strike one service as they were switched on to, and nothing else."""

import time

import httpx
import pytest

from tests.integration.services.sandbox_client import (
    EXTERNAL,
    FALLBACK,
    INVENTORY,
    PRIMARY,
    RECEIVERS,
    SHIPPING,
    UNDOABLE,
    Receiver,
    Sandbox,
)
from tests.support.eventually import eventually

NONE = {
    "down": False,
    "error_rate": 0.0,
    "latency": 0.0,
    "lost_reply_rate": 0.0,
    "lost_undo_reply_rate": 0.0,
}
CUT = (httpx.RemoteProtocolError, httpx.ReadError)

every_receiver = pytest.mark.parametrize("receiver", RECEIVERS, ids=lambda r: r.service)
every_undoable = pytest.mark.parametrize("receiver", UNDOABLE, ids=lambda r: r.service)


def test_faults_are_set_listed_and_cleared(sandbox: Sandbox):
    names = {*(receiver.service for receiver in RECEIVERS), "bank.captures"}
    faults = {"down": True, "latency": 0.5}
    answer = sandbox.http.put("/faults/payments.primary", json=faults)
    listed = sandbox.http.get("/faults").json()
    assert answer.json() == {**NONE, **faults}
    assert listed == {**dict.fromkeys(names, NONE), "payments.primary": answer.json()}
    assert sandbox.http.delete("/faults").status_code == 200
    assert sandbox.http.get("/faults").json() == dict.fromkeys(names, NONE)


def test_setting_faults_switches_the_others_of_that_service_off(sandbox: Sandbox):
    sandbox.set_faults(SHIPPING, down=True, error_rate=0.5)
    sandbox.set_faults(SHIPPING, latency=1)
    assert sandbox.http.get("/faults").json()["shipping"] == {**NONE, "latency": 1.0}


@pytest.mark.parametrize(
    ("service", "faults"),
    [
        ("shiping", {"down": True}),
        ("payments", {"down": True}),
        ("shipping", {"donw": True}),
        ("shipping", {"error_rate": 1.1}),
        ("shipping", {"lost_reply_rate": -0.1}),
        ("shipping", {"latency": -1}),
        ("shipping", {"down": "maybe"}),
    ],
)
def test_an_unknown_fault_or_service_is_refused_by_name(
    sandbox: Sandbox, service: str, faults: dict[str, object]
):
    answer = sandbox.http.put(f"/faults/{service}", json=faults)
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidRequest")
    assert sandbox.http.get("/faults").json()["shipping"] == NONE


@every_receiver
def test_a_service_that_is_down_does_nothing(
    sandbox: Sandbox, receiver: Receiver, order_id: str, key: str
):
    sandbox.set_faults(receiver, down=True, latency=30, lost_reply_rate=1)
    answer = sandbox.post(receiver, order_id, key)
    assert (answer.status_code, answer.json()["error"]) == (503, "ServiceUnavailable")
    sandbox.set_faults(receiver)
    assert sandbox.http.get("/ledger", params={"order_id": order_id}).json()["duplicates"] == 0
    assert sandbox.post(receiver, order_id, key, note="a new body").status_code == receiver.status


@every_undoable
def test_a_service_that_is_down_neither_undoes_nor_shows(
    sandbox: Sandbox, receiver: Receiver, order_id: str, key: str
):
    sandbox.post(receiver, order_id, key)
    before = sandbox.ledger(order_id)
    sandbox.set_faults(receiver, down=True)
    assert sandbox.undo(receiver, key).status_code == 503
    assert sandbox.find(receiver, key).status_code == 503
    assert sandbox.ledger(order_id) == before


def test_the_other_services_and_the_operators_calls_go_on(
    sandbox: Sandbox, order_id: str, key: str, product_id: str
):
    for receiver in (PRIMARY, INVENTORY):
        sandbox.set_faults(receiver, down=True)
    assert sandbox.post(FALLBACK, order_id, key).status_code == 201
    assert sandbox.http.get("/health").status_code == 200
    sandbox.set_stock(product_id, 1)
    assert sandbox.stock(product_id) == 1


def test_an_error_leaves_the_effect_made_about_half_of_the_time(sandbox: Sandbox, order_id: str):
    sandbox.set_faults(PRIMARY, error_rate=1)
    orders = [f"{order_id}-{n}" for n in range(60)]
    answers = [sandbox.post(PRIMARY, order, f"{order}:charge") for order in orders]
    assert {answer.status_code for answer in answers} == {500}
    assert len({answer.text for answer in answers}) == 1  # it does not tell
    made = sum(sandbox.ledger(order)["charges"] for order in orders)
    assert 5 <= made <= 55  # outside in fewer than one of a trillion runs


def test_an_error_at_an_undo_leaves_it_done_about_half_of_the_time(sandbox: Sandbox, order_id: str):
    orders = [f"{order_id}-{n}" for n in range(60)]
    for order in orders:
        sandbox.post(PRIMARY, order, f"{order}:charge")
    sandbox.set_faults(PRIMARY, error_rate=1)
    assert {sandbox.undo(PRIMARY, f"{order}:charge").status_code for order in orders} == {500}
    assert 5 <= sum(sandbox.ledger(order)["refunds"] for order in orders) <= 55


def test_an_error_rate_below_one_lets_some_calls_through(sandbox: Sandbox, order_id: str):
    sandbox.set_faults(EXTERNAL, error_rate=0.5)
    answers = [sandbox.post(EXTERNAL, order_id, f"{order_id}:{n}") for n in range(60)]
    assert {answer.status_code for answer in answers} == {200, 500}


def test_latency_delays_the_answer(sandbox: Sandbox, order_id: str, key: str):
    sandbox.set_faults(PRIMARY, latency=0.3)
    began = time.monotonic()
    assert sandbox.post(PRIMARY, order_id, key).status_code == 201
    assert time.monotonic() - began >= 0.3


def test_a_slow_call_has_its_effect_after_the_caller_gave_up(
    sandbox: Sandbox, order_id: str, key: str
):
    sandbox.set_faults(PRIMARY, latency=0.5)
    with pytest.raises(httpx.ReadTimeout):
        sandbox.http.post(
            PRIMARY.path,
            json=PRIMARY.body(order_id),
            headers={"Idempotency-Key": key},
            timeout=0.1,
        )
    assert sandbox.ledger(order_id)["charges"] == 0
    assert eventually(lambda: sandbox.ledger(order_id)["charges"] == 1)


@every_receiver
def test_a_lost_reply_comes_after_the_effect(
    sandbox: Sandbox, receiver: Receiver, order_id: str, key: str
):
    sandbox.set_faults(receiver, lost_reply_rate=1)
    with pytest.raises(CUT):
        sandbox.post(receiver, order_id, key)
    sandbox.set_faults(receiver)
    other = sandbox.post(receiver, order_id, key, note="the first body is known")
    assert other.json()["error"] == "IdempotencyKeyReused"
    assert sandbox.post(receiver, order_id, key).status_code == receiver.status
    assert sandbox.ledger(order_id)["duplicates"] == 0


@every_undoable
def test_a_lost_reply_to_an_undo_comes_after_it(
    sandbox: Sandbox, receiver: Receiver, order_id: str, key: str
):
    sandbox.set_faults(receiver, lost_undo_reply_rate=1)
    assert sandbox.post(receiver, order_id, key).status_code == 201  # of undos only
    with pytest.raises(CUT):
        sandbox.undo(receiver, key)
    assert sandbox.find(receiver, key).json()["in_force"] is False


def test_a_lost_reply_of_posts_spares_the_undo(sandbox: Sandbox, order_id: str, key: str):
    sandbox.set_faults(PRIMARY, lost_reply_rate=1)
    with pytest.raises(CUT):
        sandbox.post(PRIMARY, order_id, key)
    assert sandbox.undo(PRIMARY, key).status_code == 200
    assert sandbox.ledger(order_id)["refunds"] == 1
