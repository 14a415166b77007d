"""An order goes on although what ran its step is killed with -9."""

import os
import signal
from itertools import product

import pytest

import tasks
from amends.log.saga_log import log_of

STEPS = {
    "reserve_inventory": ("inventory", "2"),
    "process_payment": ("payments.primary", "3"),
    "create_shipment": ("shipping", "4"),
}
from tests.support.eventually import eventually


def owner_of(saga_id, record):
    """Wait until a record is claimed, and tell the pid of who has it."""
    log = log_of(tasks.app)
    owner = eventually(lambda: log.read_saga(saga_id).fields.get(f"{record}.o"))
    return int(owner.split(":")[1])


@pytest.mark.parametrize(
    ("system", "step", "dispatch"),
    [
        *product(["redis"], STEPS, ["chain", "inline"]),
        ("rabbitmq", "process_payment", "chain"),
        ("rabbitmq", "process_payment", "inline"),
    ],
    indirect=["system", "dispatch"],
)
def test_a_child_that_is_killed_in_its_step_costs_the_order_nothing(system, step, dispatch):
    service, record = STEPS[step]
    system.fault(service, latency=1.0)
    handle = system.start()
    os.kill(owner_of(handle.id, record), signal.SIGKILL)
    system.fault(service)
    assert handle.wait(timeout=60).outcome == "completed"
    system.assert_in_force(handle.id)
    retried = [event for event in handle.history() if event.name == "step.retrying"]
    assert [event.record for event in retried] == [step]
    assert retried[0].details["error"]["type"] == "WorkerLostError"


def test_a_child_that_is_killed_in_its_undo_costs_the_undo_nothing(system):
    system.fault("inventory", latency=1.0)
    handle = system.start(user_id="poor-joe")
    os.kill(owner_of(handle.id, "2u"), signal.SIGKILL)
    system.fault("inventory")
    assert handle.wait(timeout=60).outcome == "payment_failed"
    system.assert_nothing_in_force(handle.id)


def test_a_step_that_is_terminated_from_outside_costs_the_order_nothing(system):
    """As by the button in Flower: Celery acknowledges the message, and tells nobody."""
    system.fault("payments.primary", latency=1.0)
    handle = system.start()
    owner_of(handle.id, "3")
    tasks.app.control.revoke(f"{handle.id}.3.process_payment", terminate=True, signal="SIGKILL")
    system.fault("payments.primary")
    assert handle.wait(timeout=60).outcome == "completed"
    system.assert_in_force(handle.id)
    retried = [event for event in handle.history() if event.name == "step.retrying"]
    assert [event.details["error"]["type"] for event in retried] == ["WorkerLostError"]
