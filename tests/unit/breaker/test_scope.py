"""A breaker of which each worker has a circuit of its own."""

import socket

import pytest

from amends import CircuitOpenError, DefinitionError
from amends.breaker.circuits import circuit_named, circuits
from amends.breaker.scope import enter_worker


@pytest.fixture(autouse=True)
def _leave_workers():
    yield
    enter_worker(socket.gethostname())


@pytest.fixture
def payments(define):
    return define(scope="worker")


def test_a_worker_that_alone_fails_opens_the_circuit_for_itself_alone(payments, fail):
    enter_worker("sick@h")
    fail(payments, 3)
    with pytest.raises(CircuitOpenError) as refused:
        payments.acquire()
    assert refused.value.name == f"{payments.name}@sick@h"
    enter_worker("well@h")
    assert payments.call(lambda: "done") == "done"
    assert (payments.of("sick@h").state, payments.of("well@h").state) == ("open", "closed")


def test_all_workers_share_one_by_default(define, fail):
    payments = define()
    enter_worker("sick@h")
    fail(payments, 3)
    enter_worker("well@h")
    with pytest.raises(CircuitOpenError):
        payments.acquire()
    with pytest.raises(DefinitionError, match="one for all workers"):
        payments.of("sick@h")


def test_an_operator_takes_over_the_circuit_of_one_worker(payments, fail):
    enter_worker("sick@h")
    fail(payments, 3)
    enter_worker("cli@elsewhere")
    payments.of("sick@h").reset(by="ada", why="a new disk")
    payments.of("well@h").force_open(by="ada")
    assert (payments.of("sick@h").state, payments.of("well@h").state) == ("closed", "forced_open")
    assert payments.state == "closed"


def test_circuits_are_found_by_their_names(define, payments):
    shared = define()
    names = [each.name for each in circuits(["b@h", "a@h", "b@h"])]
    assert [each for each in names if each.startswith(payments.name)] == [
        f"{payments.name}@a@h",
        f"{payments.name}@b@h",
    ]
    assert shared.name in names
    for name in (shared.name, f"{payments.name}@a@h"):
        assert circuit_named(name).name == name
    for name in ("nobody's", payments.name, f"{shared.name}@a@h"):
        assert circuit_named(name) is None


def test_another_scope_under_the_same_name_is_refused(payments):
    with pytest.raises(DefinitionError, match="scope is 'shared' here and 'worker' there"):
        type(payments)(payments.name, failure_on=payments.options.failure_on)
    with pytest.raises(DefinitionError, match="not 'shared' or 'worker'"):
        type(payments)("other", failure_on=(OSError,), scope="host")


def times_to_live(circuit):
    shared = circuit._gate().shared
    found = [shared._access.ask(lambda client, key=key: client.ttl(key)) for key in shared.keys]
    return [ttl for ttl in found if ttl != -2]  # of the keys that there are


def test_the_circuit_of_a_worker_is_forgotten_unless_a_person_holds_it(payments, fail, clock):
    enter_worker("sick@h")
    circuit = payments.of("sick@h")
    fail(payments, 1)
    assert min(times_to_live(circuit)) > 0
    fail(payments, 2)
    clock.advance(3600)
    payments.acquire()
    ttls = times_to_live(circuit)
    assert (len(ttls), min(ttls) > 0) == (3, True)
    circuit.force_open(by="ada")
    assert set(times_to_live(circuit)) == {-1}
    circuit.clear_override(by="ada")
    assert min(times_to_live(circuit)) > 0


def test_a_circuit_that_all_workers_share_is_kept(define, fail):
    shared = define()
    fail(shared, 3)
    assert set(times_to_live(shared)) == {-1}
