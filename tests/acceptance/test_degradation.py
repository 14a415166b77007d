"""What became of an order while a circuit was open can be read: the channel, the reason, and whose circuit it was."""

from amends import NotDone
from tasks.payment import primary
from tasks.shipping import shipping
from tests.support.eventually import eventually


def story(handle, step):
    """Tell a step's events: name, record, and the error's type where there is one."""
    return [
        (event.name, event.record, (event.details.get("error") or {}).get("type"))
        for event in handle.history()
        if event.record and event.record.startswith(step) and event.name != "step.started"
    ]


def test_an_order_that_was_left_to_the_fallback_at_once_says_so(guarded):
    primary.force_open(by="the tests", why="to see it")
    handle, result = guarded.run()
    assert (result.outcome, result.channel) == ("completed", "fallback")
    said = "CircuitOpenError: circuit 'payments.primary' is forced open: an operator lets no call through"
    assert result.degraded == [f"process_payment went to its fallback: {said}"]
    assert story(handle, "process_payment") == [
        ("step.failed", "process_payment", "CircuitOpenError"),
        ("step.switching", "process_payment", None),
        ("step.completed", "process_payment:fallback", None),
    ]
    step = handle.snapshot().steps["process_payment"]
    assert (step.channel, step.attempts, step.error) == ("fallback", 1, said)
    assert (step.channels["primary"].attempts, step.channels["primary"].error) == (0, said)


def test_an_order_whose_charge_was_under_way_when_it_opened_says_that_it_was_voided_first(guarded):
    guarded.fault("payments.primary", latency=2.0, lost_reply_rate=1.0)
    handle = guarded.start()
    eventually(lambda: guarded.services.get("/calls").json().get("payments.primary"))
    for _ in range(primary.options.failure_threshold):
        primary.acquire().failure(NotDone("away", retry_after=30.0))
    result = handle.wait(timeout=60)
    guarded.assert_in_force(handle.id)
    assert (result.outcome, result.channel) == ("completed", "fallback")
    (said,) = result.degraded
    assert said.startswith(
        "process_payment went to its fallback: CircuitOpenError: circuit 'payments.primary' is open"
    )
    assert story(handle, "process_payment") == [
        ("step.retrying", "process_payment", "RemoteProtocolError"),
        ("step.failed", "process_payment", "CircuitOpenError"),
        ("step.switching", "process_payment", None),
        ("step.compensating", "process_payment:undo", None),
        ("step.compensated", "process_payment:undo", None),
        ("step.completed", "process_payment:fallback", None),
    ]
    channel = handle.snapshot().steps["process_payment"].channels["primary"]
    assert (channel.state, channel.attempts, channel.undo) == ("unknown", 1, "done")


def test_an_order_that_waits_for_the_carrier_says_for_whose_circuit(guarded):
    shipping.force_open(by="the tests", why="to see it")
    handle = guarded.start()
    eventually(lambda: story(handle, "create_shipment"))
    step = handle.snapshot().steps["create_shipment"]
    assert (step.state, step.attempts) == ("pending", 0)
    assert step.error.startswith("CircuitOpenError: circuit 'shipping' is forced open: ")
    shipping.clear_override(by="the tests")
    result = handle.wait(timeout=60)
    assert (result.outcome, result.channel, result.degraded) == ("completed", "primary", [])
    *deferrals, completed = story(handle, "create_shipment")
    assert set(deferrals) == {("step.retrying", "create_shipment", "CircuitOpenError")}
    assert completed == ("step.completed", "create_shipment", None)
    assert handle.snapshot().steps["create_shipment"].attempts == 1
