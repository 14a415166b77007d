"""The counts of calls: what reached a service, faults or not."""

from tests.integration.services.sandbox_client import FALLBACK, PRIMARY, Sandbox


def test_a_call_is_counted_by_service_and_method_whatever_becomes_of_it(
    sandbox: Sandbox, order_id: str, key: str
):
    sandbox.http.delete("/calls").raise_for_status()
    sandbox.set_faults(PRIMARY, down=True)
    for _ in range(3):
        assert sandbox.post(PRIMARY, order_id, key).status_code == 503
    sandbox.post(FALLBACK, order_id, key)
    sandbox.undo(FALLBACK, key)
    counts = sandbox.http.get("/calls").raise_for_status().json()
    assert counts["payments.primary"] == {"POST": 3}
    assert counts["payments.fallback"] == {"POST": 1, "DELETE": 1}
    assert counts["shipping"] == {}


def test_counts_begin_anew_when_they_are_cleared(sandbox: Sandbox, order_id: str, key: str):
    sandbox.post(PRIMARY, order_id, key)
    sandbox.http.delete("/calls").raise_for_status()
    assert set(map(str, sandbox.http.get("/calls").json().values())) == {"{}"}
