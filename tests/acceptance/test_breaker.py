"""The order system's circuit breakers, on real workers; the services count what reaches them."""

import time

from sagas.external_call import external_call_saga
from tasks.external import ExternalCall, external
from tasks.payment import primary

THREADS_AT_ONCE = 4
ORDERS = 16


def calls(system, service):
    return system.services.get("/calls").raise_for_status().json()[service]


def probes():
    return [event.name for event in primary.history()].count("breaker.half_opened")


def test_while_the_primary_is_down_hardly_a_charge_reaches_it_and_every_order_completes(guarded):
    guarded.fault("payments.primary", down=True)
    probed = probes()
    handles = [guarded.start() for _ in range(ORDERS)]
    assert {handle.wait(timeout=90).outcome for handle in handles} == {"completed"}
    reached = calls(guarded, "payments.primary")["POST"]
    allowed = primary.options.failure_threshold - 1 + THREADS_AT_ONCE + probes() - probed
    assert 0 < reached <= allowed
    for handle in handles:
        assert handle.snapshot().steps["process_payment"].channel == "fallback"
        guarded.assert_in_force(handle.id)


def test_when_the_primary_is_back_a_probe_closes_the_circuit(guarded):
    guarded.fault("payments.primary", down=True)
    guarded.run()
    guarded.fault("payments.primary")
    until = time.monotonic() + 60
    while (channel := _channel_of_an_order(guarded)) != "primary":
        assert channel == "fallback"
        assert time.monotonic() < until
    assert primary.state == "closed"
    assert [event.name for event in primary.history()][-1] == "breaker.closed"


def _channel_of_an_order(system):
    handle, result = system.run()
    assert result.outcome == "completed"
    system.assert_in_force(handle.id)
    return handle.snapshot().steps["process_payment"].channel


def test_c10_where_replies_are_lost_and_the_circuit_opens_nobody_is_charged_twice(guarded):
    guarded.fault("payments.primary", lost_reply_rate=1.0)
    handles = [guarded.start() for _ in range(ORDERS)]
    assert {handle.wait(timeout=90).outcome for handle in handles} == {"completed"}
    for handle in handles:
        guarded.assert_in_force(handle.id)


def test_an_open_circuit_fails_the_external_call_at_once_and_says_so(guarded):
    external.force_open(by="the tests", why="to see it")
    result = external_call_saga.start(ExternalCall(payload={"question": 42})).wait(timeout=60)
    assert result.outcome == "call_failed"
    assert result.error.startswith("CircuitOpenError: circuit 'external' is forced open: ")
    assert calls(guarded, "external") == {}


def test_a_host_that_is_not_allowed_is_never_called(guarded):
    call = ExternalCall(payload={}, url="http://169.254.169.254/latest")
    until = time.monotonic() + 30
    # A process remembers for a second that a circuit was open, as another test may have had it.
    while (error := _error_of(call)).startswith("CircuitOpenError"):
        assert time.monotonic() < until
    assert error.startswith("HostNotAllowed: http://169.254.169.254:80 is not called")


def _error_of(call):
    result = external_call_saga.start(call).wait(timeout=60)
    assert result.outcome == "call_failed"
    return result.error
