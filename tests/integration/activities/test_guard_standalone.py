"""Activities behind a circuit breaker that are called alone, outside of any saga."""

import time
import uuid
from contextlib import contextmanager
from datetime import datetime

import pytest
from celery import signals
from celery.exceptions import SoftTimeLimitExceeded

from amends import CircuitBreaker, NotDone, RetryPolicy, activity
from tests.support.engine_saga import Job, engine_saga, succeed, without_effect
from tests.support.eventually import eventually

QUICK = RetryPolicy(max_attempts=6, initial_interval=0.01, max_interval=0.01, jitter=0.0)
CUT = (NotDone, OSError)

failing = CircuitBreaker("test-alone-failing", failure_threshold=2, failure_on=CUT)
waiting = CircuitBreaker(
    "test-alone-waiting", failure_threshold=2, reset_timeout=0.3, failure_on=CUT
)


@activity(retry=QUICK, breaker=failing, on_circuit_open="fail")
def call_alone(job: Job) -> None:
    engine_saga.play(job)


@activity(retry=QUICK, breaker=failing, on_circuit_open="fallback")
def call_without_fallback(job: Job) -> None:
    engine_saga.play(job)


@activity(retry=QUICK, breaker=waiting)
def ship_alone(job: Job) -> None:
    engine_saga.play(job)


@pytest.fixture(autouse=True)
def closed(app, work):
    for breaker in (failing, waiting):
        breaker.reset()


@pytest.fixture
def key():
    return uuid.uuid4().hex


def attempts(key):
    return [c.context.attempt for c in engine_saga.calls if c.context.idempotency_key == key]


def call_here(key, called=call_alone):
    """Call it in this process, retries included, and return its error."""
    return called.task.apply(args=[{"job_id": "alone"}], task_id=key).result


@pytest.mark.parametrize("called", [call_alone, call_without_fallback])
def test_it_fails_at_once_with_the_circuit_that_is_open(key, called):
    failing.force_open()
    error = call_here(key, called)
    failing.clear_override()
    assert type(error).__name__ == "CircuitOpenError"
    assert attempts(key) == []


@pytest.mark.parametrize("error", [NotDone("away"), SoftTimeLimitExceeded()])
def test_its_failures_open_the_circuit_and_so_end_its_retries(work, key, error):
    work.script(key, *[without_effect(error)] * 6)
    assert type(call_here(key)).__name__ == "CircuitOpenError"
    assert attempts(key) == [1, 2]
    assert failing.state == "open"


def test_its_success_begins_the_count_anew(work, key):
    for n in range(3):
        work.script(f"{key}-{n}", without_effect(NotDone("away")), succeed)
        call_here(f"{key}-{n}")
        assert attempts(f"{key}-{n}") == [1, 2]
    assert failing.state == "closed"


def test_it_is_deferred_under_its_id_and_spends_no_attempt(work, key):
    work.script(key, *[without_effect(NotDone("away"))] * 2)
    ship_alone.task.apply_async(args=[{"job_id": "alone"}], task_id=key)
    eventually(lambda: len(attempts(key)) == 3)
    assert attempts(key) == [1, 2, 3]


def test_it_is_not_put_off_for_longer_than_a_message_may_be(app, work, key, monkeypatch):
    waits = []

    def note(headers, **_):
        if headers["id"] == key and headers["eta"]:
            waits.append(datetime.fromisoformat(headers["eta"]).timestamp() - time.time())

    monkeypatch.setitem(app.conf, "amends_max_countdown", 0.2)
    for _ in range(2):
        waiting.acquire().failure(NotDone("away", retry_after=7200.0))
    with listening(note):
        ship_alone.task.apply_async(args=[{"job_id": "alone"}], task_id=key)
        eventually(lambda: len(waits) >= 3)
        waiting.reset()
        eventually(lambda: attempts(key) == [1])
    assert all(wait <= 0.2 for wait in waits)


@contextmanager
def listening(note):
    signals.after_task_publish.connect(note)
    yield
    signals.after_task_publish.disconnect(note)
