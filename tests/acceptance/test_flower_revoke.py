"""Flower's Revoke and Terminate on a step, whatever it is at, lead to a consistent end."""

import pytest

from tests.support.eventually import eventually

pytestmark = pytest.mark.parametrize("system", ["redis"], indirect=True)


@pytest.fixture
def flower(system):
    return system.flower


def revoke(flower, task_id, **how):
    flower.post(f"/api/task/revoke/{task_id}", params=how).raise_for_status()


def wait_for(handle, holds):
    eventually(lambda: holds(handle.snapshot()))


def runs_of(flower, handle, step):
    """Name the states that Flower shows of a step's messages, in their order."""
    tasks = flower.get("/api/tasks", params={"limit": 1000}).raise_for_status().json()
    runs = {}
    for id_, task in tasks.items():
        if id_.startswith(f"{handle.id}."):
            number, _, path = id_.removeprefix(f"{handle.id}.").partition(".")
            if path == step:
                runs[int(number)] = task["state"]
    return [runs[number] for number in sorted(runs)]


def wait_for_runs(flower, handle, step, states):
    eventually(lambda: runs_of(flower, handle, step) == states, every=0.1)


def order_at(system, step, state):
    handle = system.start()
    wait_for(handle, lambda seen: seen.steps[step].state == state)
    return handle


def test_a_step_that_is_revoked_in_any_state_costs_the_order_nothing(system, flower, retrying):
    retrying(activity={"initial_interval": 3.0, "max_interval": 3.0})
    system.fault("inventory", down=True)
    waits = system.start()
    wait_for(waits, lambda seen: seen.steps["reserve_inventory"].attempts == 1)
    system.fault("inventory")
    with system.unconsumed("shipping"):
        is_queued = order_at(system, "process_payment", "done")
        system.fault("payments.primary", latency=20.0)
        runs = order_at(system, "process_payment", "running")
        wait_for_runs(flower, runs, "process_payment", ["STARTED"])
        wait_for_runs(flower, waits, "reserve_inventory", ["RETRY"])
        revoke(flower, f"{waits.id}.2.reserve_inventory")
        revoke(flower, f"{is_queued.id}.4.create_shipment")
        revoke(flower, f"{runs.id}.3.process_payment", terminate=True)
        system.fault("payments.primary")
    for handle, step in [
        (waits, "reserve_inventory"),
        (is_queued, "create_shipment"),
        (runs, "process_payment"),
    ]:
        assert handle.wait(60).outcome == "completed"
        system.assert_in_force(handle.id)
        wait_for_runs(flower, handle, step, ["REVOKED", "SUCCESS"])
