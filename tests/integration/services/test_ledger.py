"""The ledger tells what is in force and what ever happened, and finds what was done twice."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.services.sandbox_client import (
    AUTHORIZATIONS,
    FALLBACK,
    INVENTORY,
    INVOICES,
    NOTIFICATIONS,
    PRIMARY,
    SHIPPING,
    Receiver,
    Sandbox,
    ServerProcess,
)


def nothing(order_id: str) -> dict[str, object]:
    counts = dict.fromkeys(
        (
            *("charges", "refunds", "authorizations", "invoices"),
            *("shipments", "notifications", "duplicates"),
        ),
        0,
    )
    return {"order_id": order_id, "reserved": {}, "charged": "0.00", **counts}


def test_an_order_without_effects_has_zeros(sandbox: Sandbox, order_id: str):
    assert sandbox.ledger(order_id) == nothing(order_id)


def test_a_whole_order_shows_each_effect_once(sandbox: Sandbox, order_id: str):
    for receiver in (INVENTORY, PRIMARY, INVOICES, SHIPPING, NOTIFICATIONS):
        sandbox.post(receiver, order_id, f"{order_id}:{receiver.service}")
    assert sandbox.ledger(order_id) == {
        **nothing(order_id),
        "reserved": {"plentiful": 2},
        "charged": "19.90",
        "charges": 1,
        "invoices": 1,
        "shipments": 1,
        "notifications": 1,
    }


def test_an_undone_order_is_net_zero_and_tells_of_its_refund(sandbox: Sandbox, order_id: str):
    for receiver in (INVENTORY, PRIMARY, INVOICES, SHIPPING):
        sandbox.post(receiver, order_id, f"{order_id}:1")
        sandbox.undo(receiver, f"{order_id}:1")
    assert sandbox.ledger(order_id) == {**nothing(order_id), "charges": 1, "refunds": 1}


def test_the_whole_ledger_lists_every_order_with_effects(sandbox: Sandbox, order_id: str):
    orders = [f"{order_id}-{n}" for n in range(3)]
    for order in orders:
        sandbox.post(PRIMARY, order, f"{order}:charge")
    sandbox.undo(PRIMARY, f"{order_id}-unmade:charge")
    listed = {entry["order_id"]: entry for entry in sandbox.http.get("/ledger").json()}
    assert [listed[order] for order in orders] == [sandbox.ledger(order) for order in orders]
    assert f"{order_id}-unmade" not in listed


def test_amounts_add_up_exactly(sandbox: Sandbox, order_id: str):
    for n, amount in enumerate(("0.10", "0.2", "9999999999999999.99")):
        sandbox.post(PRIMARY, order_id, f"{order_id}:{n}", amount=amount)
    assert sandbox.ledger(order_id)["charged"] == "10000000000000000.29"


@pytest.mark.parametrize(
    "receiver", [INVENTORY, PRIMARY, SHIPPING, NOTIFICATIONS], ids=lambda r: r.service
)
def test_a_second_effect_of_a_kind_beside_the_first_is_a_duplicate(
    sandbox: Sandbox, order_id: str, receiver: Receiver
):
    for n in range(3):
        sandbox.post(receiver, order_id, f"{order_id}:{n}")
    assert sandbox.ledger(order_id)["duplicates"] == 2


def test_a_fallback_charge_after_the_primary_was_voided_is_no_duplicate(
    sandbox: Sandbox, order_id: str, key: str
):
    sandbox.post(PRIMARY, order_id, key)
    sandbox.undo(PRIMARY, key)
    sandbox.post(FALLBACK, order_id, f"{key}:fallback")
    entry = sandbox.ledger(order_id)
    assert (entry["charges"], entry["refunds"], entry["charged"]) == (2, 1, "19.90")
    assert entry["duplicates"] == 0


def test_charges_over_both_channels_at_once_stay_a_duplicate_after_the_refund(
    sandbox: Sandbox, order_id: str, key: str
):
    sandbox.post(PRIMARY, order_id, key)
    sandbox.post(FALLBACK, order_id, f"{key}:fallback")
    assert sandbox.ledger(order_id)["charged"] == "39.80"
    sandbox.undo(PRIMARY, key)
    entry = sandbox.ledger(order_id)
    assert (entry["charged"], entry["duplicates"]) == ("19.90", 1)


@pytest.mark.parametrize("receiver", [INVENTORY, SHIPPING], ids=lambda r: r.service)
def test_each_parcel_of_an_order_has_its_own_effects(
    sandbox: Sandbox, order_id: str, receiver: Receiver
):
    for n in range(3):
        sandbox.post(receiver, order_id, f"{order_id}:{n}", parcel_id=f"parcel-{n}")
    assert sandbox.ledger(order_id)["duplicates"] == 0
    sandbox.post(receiver, order_id, f"{order_id}:again", parcel_id="parcel-1")
    assert sandbox.ledger(order_id)["duplicates"] == 1


def test_an_authorization_is_no_charge(sandbox: Sandbox, order_id: str, key: str):
    sandbox.post(AUTHORIZATIONS, order_id, key)
    assert sandbox.ledger(order_id) == {**nothing(order_id), "authorizations": 1}
    sandbox.undo(AUTHORIZATIONS, key)
    assert sandbox.ledger(order_id) == nothing(order_id)


@pytest.mark.parametrize(("change", "charged"), [("made", "19.90"), ("undone", "-19.90")])
def test_the_ledger_does_not_trust_the_receipts(
    database: Path, order_id: str, key: str, change: str, charged: str
):
    """A key that was applied or undone twice shows, however that came to pass."""
    with ServerProcess(database) as server:
        sandbox = Sandbox(server.url)
        sandbox.post(PRIMARY, order_id, key)
        sandbox.undo(PRIMARY, key)
        with closing(sqlite3.connect(database)) as broken, broken:
            broken.execute(
                "INSERT INTO effects (service, key, order_id, change, request)"
                " SELECT service, key, order_id, change, request FROM effects WHERE change = ?",
                [change],
            )
        entry = sandbox.ledger(order_id)
    assert (entry["duplicates"], entry["charged"]) == (1, charged)
