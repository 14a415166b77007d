"""What plain Flower shows of a saga."""

import json
import re
import time

import pytest

either_way = pytest.mark.parametrize("dispatch", ["chain", "inline"], indirect=True)


@pytest.fixture
def shown(system):
    """Ask Flower for the tasks of a saga until it has so many that have ended."""

    def ask(saga_id: str, count: int) -> dict[str, dict]:
        until = time.monotonic() + 30
        while True:
            page = system.flower.get("/api/tasks", params={"limit": 500}).json()
            found = {id_: task for id_, task in page.items() if id_.startswith(f"{saga_id}.")}
            ended = [task for task in found.values() if task["state"] in ("SUCCESS", "FAILURE")]
            if len(ended) >= count:
                return found
            assert time.monotonic() < until, found
            time.sleep(0.1)

    return ask


@either_way
def test_each_task_shows_under_its_own_name_with_a_readable_id(system, shown, dispatch):
    handle, _ = system.run()
    assert {
        id_.removeprefix(handle.id): task["name"] for id_, task in shown(handle.id, 5).items()
    } == {
        ".1.validate_order": "tasks.orders.validate_order",
        ".2.reserve_inventory": "tasks.inventory.reserve_inventory",
        ".3.process_payment": "tasks.payment.process_payment",
        ".4.create_shipment": "tasks.shipping.create_shipment",
        ".5.send_notification": "tasks.notification.send_notification",
    }


@either_way
def test_undos_and_failures_show_as_what_they_are(system, shown, dispatch):
    handle, _ = system.run(shipping_address="1 Nowhere Road")
    found = shown(handle.id, 7)
    states = {id_.split(".", 2)[2]: task["state"] for id_, task in found.items()}
    assert states == {
        "validate_order": "SUCCESS",
        "reserve_inventory": "SUCCESS",
        "process_payment": "SUCCESS",
        "create_shipment": "FAILURE",
        "advance": "SUCCESS",
        "process_payment.undo": "SUCCESS",
        "reserve_inventory.undo": "SUCCESS",
    }


@either_way
def test_every_task_is_a_child_of_its_saga(system, shown, dispatch):
    handle, _ = system.run(shipping_address="1 Nowhere Road")
    found = shown(handle.id, 7)
    steps = {id_: task for id_, task in found.items() if not id_.endswith(".advance")}
    assert {task["root_id"] for task in found.values()} == {handle.id}
    assert {task["parent_id"] for task in steps.values()} == {handle.id}


@pytest.fixture
def row_of(system):
    """Ask Flower for the row of a saga until it is in this state."""

    def ask(saga_id: str, state: str) -> dict:
        until = time.monotonic() + 30
        while True:
            answer = system.flower.get(f"/api/task/info/{saga_id}")
            if answer.status_code == 200 and answer.json()["state"] == state:
                return answer.json()
            assert time.monotonic() < until, answer.text
            time.sleep(0.1)

    return ask


def test_each_saga_is_a_row_of_its_own_with_its_outcome(system, row_of):
    handle, _ = system.run()
    row = row_of(handle.id, "SUCCESS")
    assert (row["name"], row["result"]) == ("saga.order", "completed")
    assert row["received"] <= row["started"] <= row["succeeded"]
    assert row["runtime"] > 0
    handle, _ = system.run(shipping_address="1 Nowhere Road")
    assert row_of(handle.id, "COMPENSATED")["result"] == "shipment_failed"


def test_the_steps_of_a_saga_are_the_children_of_its_row(system, shown, row_of):
    handle, _ = system.run()
    steps = shown(handle.id, 5)
    row = row_of(handle.id, "SUCCESS")
    assert (set(row["children"]), row["parent_id"]) == (set(steps), None)


def test_what_is_counted_of_sagas_is_right_in_flowers_metrics(system, row_of):
    before = _counts(system)
    handle, _ = system.run()
    row_of(handle.id, "SUCCESS")
    after = _counts(system)
    for kind in ("task-received", "task-started", "task-succeeded"):
        assert after.get(kind, 0) == before.get(kind, 0) + 1


def _counts(system):
    """Read how many events of each type Flower had of orders, whoever sent them."""
    counts: dict[str, float] = {}
    metrics = system.flower.get("/metrics").text
    pattern = r'flower_events_total{task="saga.order",type="([^"]+)",worker="[^"]+"} (.+)'
    for kind, count in re.findall(pattern, metrics):
        counts[kind] = counts.get(kind, 0) + float(count)
    return counts


def test_no_data_of_an_order_is_in_any_argument(system, shown):
    handle, _ = system.run(user_id="poor-secretive", shipping_address="13 Hidden Close")
    for task in shown(handle.id, 4).values():
        assert task["args"] == "()"
        kwargs = json.loads(task["kwargs"].replace("'", '"'))
        assert kwargs.pop("saga_id") == handle.id
        assert kwargs.keys() <= {"step"}
