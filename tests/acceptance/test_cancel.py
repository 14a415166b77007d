"""An order that is cancelled at every step, in every state of it, ends consistent in the ledger."""

import time

import pytest

import tasks
from tests.acceptance.conftest import BOTH_WORKERS

SERVICES = {
    "reserve_inventory": "inventory",
    "process_payment": "payments.primary",
    "create_shipment": "shipping",
    "send_notification": "notifications",
}
QUEUES = {
    "validate_order": "orders",
    "reserve_inventory": "inventory",
    "process_payment": "payments",
    "create_shipment": "shipping",
    "send_notification": "notifications",
}


def wait_for(handle, holds):
    """Poll the saga until its snapshot is as wanted."""
    until = time.monotonic() + 30
    while not holds(snapshot := handle.snapshot()):
        assert time.monotonic() < until, snapshot
        assert snapshot.status not in ("completed", "compensated", "stuck"), snapshot
        time.sleep(0.01)


def ended_consistent(system, handle, *, notified=0):
    """Hold that it left nothing but perhaps a notification, which cannot be taken back."""
    result = handle.wait(timeout=60)
    assert (handle.status, result.outcome) == ("compensated", "cancelled")
    entry = system.ledger(handle.id)
    assert (entry["reserved"], entry["charged"], entry["shipments"]) == ({}, "0.00", 0)
    assert entry["charges"] == entry["refunds"]
    assert (entry["notifications"], entry["duplicates"]) == (notified, 0)


@pytest.fixture
def unconsumed(each_system):
    """Keep the workers from a queue, until it is let go or the test ends."""
    stopped = []

    def stop(queue):
        tasks.app.control.cancel_consumer(queue, **BOTH_WORKERS)
        stopped.append(queue)

    def let_go():
        while stopped:
            tasks.app.control.add_consumer(stopped.pop(), **BOTH_WORKERS)

    yield stop, let_go
    let_go()


@pytest.fixture
def slow_retries(retrying):
    """Let attempts of orders wait for long."""
    retrying(activity={"initial_interval": 20.0, "max_interval": 20.0})


@pytest.mark.parametrize("step", QUEUES)
def test_cancelled_while_a_step_is_queued(each_system, unconsumed, step):
    stop, let_go = unconsumed
    stop(QUEUES[step])
    handle = each_system.start()
    before = list(QUEUES)[: list(QUEUES).index(step)]
    wait_for(handle, lambda seen: all(seen.steps[name].state == "done" for name in before))
    assert handle.cancel(by="ada", why="changed my mind")
    let_go()
    ended_consistent(each_system, handle)
    assert handle.snapshot().steps[step].state == "pending"


@pytest.mark.parametrize("step", SERVICES)
def test_cancelled_while_a_step_runs(each_system, step):
    each_system.fault(SERVICES[step], latency=0.5)
    handle = each_system.start()
    wait_for(handle, lambda seen: seen.steps[step].state == "running")
    assert handle.cancel()
    ended_consistent(each_system, handle, notified=int(step == "send_notification"))


@pytest.mark.parametrize("step", SERVICES)
@pytest.mark.parametrize(
    "fault", [{"down": True}, {"lost_reply_rate": 1.0}], ids=["not done", "unknown"]
)
def test_cancelled_while_a_step_waits_for_its_next_attempt(each_system, slow_retries, step, fault):
    each_system.fault(SERVICES[step], **fault)
    handle = each_system.start()
    wait_for(handle, lambda seen: seen.steps[step].attempts == 1)
    assert handle.cancel()
    notified = step == "send_notification" and "down" not in fault
    ended_consistent(each_system, handle, notified=int(notified))


def test_cancelled_while_the_primary_is_voided(each_system):
    each_system.fault("payments.primary", lost_reply_rate=1.0, latency=0.3)
    handle = each_system.start()
    wait_for(
        handle, lambda seen: seen.steps["process_payment"].channels["primary"].undo == "running"
    )
    assert handle.cancel()
    ended_consistent(each_system, handle)
    assert handle.snapshot().steps["process_payment"].channels["fallback"].state == "pending"


def test_cancelled_while_the_fallback_runs(each_system):
    each_system.fault("payments.primary", lost_reply_rate=1.0)
    each_system.fault("payments.fallback", latency=0.5)
    handle = each_system.start()
    wait_for(
        handle, lambda seen: seen.steps["process_payment"].channels["fallback"].state == "running"
    )
    assert handle.cancel()
    ended_consistent(each_system, handle)


def test_cancelled_while_the_switch_is_queued(each_system, unconsumed):
    stop, let_go = unconsumed
    each_system.fault("payments.primary", lost_reply_rate=1.0)
    stop("compensations")
    handle = each_system.start()
    wait_for(
        handle, lambda seen: seen.steps["process_payment"].channels["primary"].state == "unknown"
    )
    assert handle.cancel()
    let_go()
    ended_consistent(each_system, handle)


def test_a_cancel_during_the_undo_changes_nothing(each_system):
    handle = each_system.start(shipping_address="1 Nowhere Road")
    each_system.fault("payments.primary", latency=0.5)
    wait_for(handle, lambda seen: seen.status == "compensating")
    assert not handle.cancel()
    assert handle.wait(timeout=60).outcome == "shipment_failed"
    each_system.assert_nothing_in_force(handle.id)


def test_a_second_cancel_and_one_after_the_end_come_too_late(each_system):
    each_system.fault("shipping", latency=0.5)
    handle = each_system.start()
    wait_for(handle, lambda seen: seen.steps["create_shipment"].state == "running")
    assert handle.cancel(by="ada", why="first")
    assert not handle.cancel(by="bob", why="second")
    ended_consistent(each_system, handle)
    assert not handle.cancel()
    cancelled = [event.details for event in handle.history() if event.name == "saga.cancelled"]
    assert cancelled == [{"by": "ada", "why": "first"}]


def test_a_completed_order_is_not_cancelled(each_system):
    handle, _ = each_system.run()
    assert not handle.cancel()
    each_system.assert_in_force(handle.id)
