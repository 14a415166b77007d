import pytest

from amends.breaker.definition import CircuitBreaker
from amends.diagnosis.deployment.destinations import destinations_here
from amends.log.queries import gauges
from amends.log.saga_log import log_of


@pytest.fixture
def beat(app):
    """Give `beat("work", "undo")`: a heartbeat of a worker that consumes these queues."""

    def note(*queues):
        workers = log_of(app).workers
        workers.note_heartbeat("w1", [1], node="celery@here", version="1", queues=queues)

    return note


def test_no_worker_is_a_banner_with_what_to_do(as_role):
    page = as_role("viewer").get("/").text
    assert "No worker is alive: nothing goes on." in page
    assert "Start workers" in page


def test_a_queue_that_nobody_consumes_is_named(as_role, beat):
    beat("another")
    page = as_role("viewer").get("/").text
    assert "No live worker consumes the queue celery" in page
    assert "--queues celery" in page
    assert "No worker is alive" not in page


def test_a_circuit_that_keeps_calls_away_is_named(as_role, beat):
    beat("celery")
    circuit = CircuitBreaker("bank", failure_on=(ConnectionError,))
    circuit.force_open(by="ada", why="x")
    assert "Calls are kept away from bank." in as_role("viewer").get("/").text


def test_a_log_that_is_nearly_full_is_said(as_role, beat, monkeypatch):
    beat("celery")
    monkeypatch.setattr(gauges, "_ask_memory", lambda _: gauges.Memory(used=90, limit=100))
    assert "nearly full: 90% of maxmemory" in as_role("viewer").get("/").text


def test_causes_are_counted_and_told_without_ids(as_role, stuck, beat):
    beat("celery")
    stuck("e-1", "e-2")
    page = as_role("viewer").get("/").text
    assert "2 sagas need a person" in page
    assert page.count("ConnectionError: the shop is closed") == 1


def test_a_look_that_is_cut_says_so_and_reads_all_on_demand(as_role, stuck, monkeypatch):
    monkeypatch.setattr("amends.console.pages.needs.LOOKED_AT", 2)
    stuck("e-1", "e-2", "e-3")
    client = as_role("viewer")
    page = client.get("/").text
    assert "The counts are of the 2 that are stuck longest." in page
    assert "3 sagas need a person" in page
    assert "The counts are of" not in client.get("/?all=yes").text


def test_an_all_clear_needs_a_log_with_sagas_and_a_worker(app, as_role, waiting, beat):
    client = as_role("viewer")
    assert "Is amends_backend the right one?" in client.get("/").text
    waiting("e-1")
    beat(*{each.queue for each in destinations_here(app) if each.queue})
    assert "No saga is stuck, and workers are alive." in client.get("/").text
