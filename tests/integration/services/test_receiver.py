"""Every POST is made once per key; every DELETE undoes by key, now and for good."""

import pytest

from tests.integration.services.sandbox_client import (
    PRIMARY,
    RECEIVERS,
    SHIPPING,
    UNDOABLE,
    Receiver,
    Sandbox,
)

every_receiver = pytest.mark.parametrize("receiver", RECEIVERS, ids=lambda r: r.service)
every_undoable = pytest.mark.parametrize("receiver", UNDOABLE, ids=lambda r: r.service)


@every_receiver
def test_the_same_key_and_body_get_the_first_answer_again(
    sandbox: Sandbox, receiver: Receiver, order_id: str, key: str
):
    first = sandbox.post(receiver, order_id, key)
    second = sandbox.post(receiver, order_id, key)
    assert first.status_code == second.status_code == receiver.status
    assert first.json() == second.json()
    assert sandbox.ledger(order_id)["duplicates"] == 0


@every_receiver
def test_s14_another_body_under_the_same_key_is_refused(
    sandbox: Sandbox, receiver: Receiver, order_id: str, key: str
):
    sandbox.post(receiver, order_id, key)
    before = sandbox.ledger(order_id)
    other = sandbox.post(receiver, order_id, key, note="another body")
    assert (other.status_code, other.json()["error"]) == (409, "IdempotencyKeyReused")
    assert sandbox.ledger(order_id) == before


def test_bodies_are_compared_as_json_and_not_as_text(sandbox: Sandbox, order_id: str, key: str):
    body = PRIMARY.body(order_id)
    turned = dict(reversed(body.items()))
    headers = {"Idempotency-Key": key}
    first = sandbox.http.post(PRIMARY.path, json=body, headers=headers)
    second = sandbox.http.post(PRIMARY.path, json=turned, headers=headers)
    assert second.json() == first.json()


@every_receiver
def test_a_post_without_a_key_is_refused(sandbox: Sandbox, receiver: Receiver, order_id: str):
    answer = sandbox.http.post(receiver.path, json=receiver.body(order_id))
    assert (answer.status_code, answer.json()["error"]) == (400, "MissingIdempotencyKey")
    assert "Idempotency-Key" in answer.json()["message"]


def test_a_key_belongs_to_one_service(sandbox: Sandbox, order_id: str, key: str):
    assert sandbox.post(PRIMARY, order_id, key).status_code == 201
    assert sandbox.post(SHIPPING, order_id, key).status_code == 201


@every_undoable
def test_an_effect_is_undone_once_however_often_it_is_asked(
    sandbox: Sandbox, receiver: Receiver, order_id: str, key: str
):
    sandbox.post(receiver, order_id, key)
    first, after_first = sandbox.undo(receiver, key), sandbox.ledger(order_id)
    second, after_second = sandbox.undo(receiver, key), sandbox.ledger(order_id)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json() == {"key": key, "in_force": False}
    assert after_first == after_second
    assert after_first["reserved"] == {}
    assert after_first["charged"] == "0.00"
    assert after_first["shipments"] == after_first["duplicates"] == 0


@every_undoable
def test_s3_nothing_is_made_under_a_key_that_was_undone(
    sandbox: Sandbox, receiver: Receiver, order_id: str, key: str
):
    sandbox.post(receiver, order_id, key)
    sandbox.undo(receiver, key)
    before = sandbox.ledger(order_id)
    late = sandbox.post(receiver, order_id, key)
    assert (late.status_code, late.json()["error"]) == (410, "Tombstone")
    assert sandbox.ledger(order_id) == before


@every_undoable
def test_s2_undoing_what_was_never_made_leaves_a_tombstone(
    sandbox: Sandbox, receiver: Receiver, order_id: str, key: str
):
    assert sandbox.undo(receiver, key).status_code == 200
    late = sandbox.post(receiver, order_id, key)
    again = sandbox.undo(receiver, key)
    assert (late.status_code, late.json()["error"]) == (410, "Tombstone")
    assert again.status_code == 200
    assert sandbox.find(receiver, key).status_code == 404
    assert sandbox.ledger(order_id)["refunds"] == sandbox.ledger(order_id)["charges"] == 0


@every_undoable
def test_a_look_up_by_key_shows_the_effect_and_whether_it_is_in_force(
    sandbox: Sandbox, receiver: Receiver, order_id: str, key: str
):
    missing = sandbox.find(receiver, key)
    answer = sandbox.post(receiver, order_id, key).json()
    made = sandbox.find(receiver, key)
    sandbox.undo(receiver, key)
    undone = sandbox.find(receiver, key)
    assert (missing.status_code, missing.json()["error"]) == (404, "NotFound")
    effect = {**receiver.body(order_id), **answer, "key": key}
    assert (made.status_code, made.json()) == (200, {**effect, "in_force": True})
    assert (undone.status_code, undone.json()) == (200, {**effect, "in_force": False})


@pytest.mark.parametrize(
    "path", ["o:s:fallback", "o%3As%3Afallback", "a/b", "a%2Fb", "v1.2..3", "%25"]
)
def test_a_key_may_hold_any_character_of_a_path(sandbox: Sandbox, order_id: str, path: str):
    plain = f"{order_id}-{path}".replace("%3A", ":").replace("%2F", "/").replace("%25", "%")
    sandbox.post(PRIMARY, order_id, plain)
    assert sandbox.find(PRIMARY, f"{order_id}-{path}").json()["key"] == plain
    assert sandbox.undo(PRIMARY, f"{order_id}-{path}").json()["key"] == plain
    assert sandbox.ledger(order_id)["refunds"] == 1


def test_an_undo_without_a_key_is_refused(sandbox: Sandbox):
    answer = sandbox.undo(PRIMARY, "")
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidRequest")


def test_a_refusal_leaves_no_receipt(sandbox: Sandbox, order_id: str, key: str):
    assert sandbox.post(PRIMARY, order_id, key, user_id="poor-ann").status_code == 402
    assert sandbox.find(PRIMARY, key).status_code == 404
    assert sandbox.post(PRIMARY, order_id, key, user_id="rich-ann").status_code == 201
