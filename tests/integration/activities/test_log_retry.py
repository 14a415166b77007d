"""The saga log is away for a while: nothing is decided, and what was reached is kept."""

import time
from itertools import count

import pytest
from celery import current_task
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import task_failure
from kombu.exceptions import OperationalError

from amends import LogUnavailable
from amends.activities import log_retry, postponement, task
from amends.activities.log_retry import retry_until_written
from amends.dispatch.messages import ADVANCE
from amends.log.saga_log import SagaLog
from tests.support.engine_saga import Job, engine_saga, job_saga

AWAY = LogUnavailable("away")


class LeftBehind(BaseException):
    """As a ``gevent.Timeout`` that an activity set and did not cancel."""


ERRORS = {"away": AWAY, "limit": SoftTimeLimitExceeded(), "own limit": LeftBehind()}


@pytest.fixture
def impatient(monkeypatch):
    """Let a claim be put off at once, and for a moment only."""
    monkeypatch.setattr(task, "CLAIM_PATIENCE", 0.0)
    monkeypatch.setattr(postponement, "PUT_OFF", (0.01, 0.02))


@pytest.fixture
def lose_answers(monkeypatch):
    """Let calls of one of the log's methods fail: ``landed`` ones only after they were made."""

    def lose(name, *ways, saga_id):
        method, ways = getattr(SagaLog, name), iter(ways)

        def call(self, called_for, *arguments, **options):
            way = next(ways, "well") if called_for == saga_id else "well"
            if way in ERRORS:
                raise ERRORS[way]
            answer = method(self, called_for, *arguments, **options)
            if way == "landed":
                raise AWAY
            return answer

        monkeypatch.setattr(SagaLog, name, call)

    return lose


@pytest.mark.parametrize(
    "ways", [["away"], ["landed"], ["landed", "away"], ["landed", "away", "away", "landed"]]
)
def test_a_claim_without_an_answer_is_put_off_and_takes_its_own_place(
    work, saga_id, impatient, lose_answers, ways
):
    lose_answers("claim_step", *ways, saga_id=saga_id)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "c"]
    assert handle.snapshot().steps["a"].attempts == 1
    # And not because a sweep found a claim whose answer never came.
    assert "step.retrying" not in [event.name for event in handle.history()]


def test_a_message_that_is_put_off_keeps_its_error_callback(work, saga_id, impatient, lose_answers):
    callbacks = []

    def look(*_):
        callbacks.extend(current_task.request.errbacks)

    lose_answers("claim_step", "away", saga_id=saga_id)
    work.script(f"{saga_id}:a", look)
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(timeout=60)
    assert [each["task"] for each in callbacks] == [ADVANCE]


def test_a_limit_that_strikes_in_a_claim_fails_no_task(work, saga_id, lose_answers):
    failed = []

    def note(task_id, **_):
        failed.append(task_id)

    lose_answers("claim_step", "limit", saga_id=saga_id)
    task_failure.connect(note)
    try:
        handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        assert handle.wait(timeout=60).outcome == "completed"
    finally:
        task_failure.disconnect(note)
    assert failed == []


def test_a_claim_is_kept_where_the_broker_is_away_too(
    work, saga_id, impatient, lose_answers, monkeypatch
):
    refused = count()

    class Unsendable:
        def apply_async(self, **_):
            next(refused)
            raise OperationalError("away")

    lose_answers("claim_step", "landed", "away", "away", saga_id=saga_id)
    monkeypatch.setattr(task.ActivityTask, "signature_from_request", lambda *_, **__: Unsendable())
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome == "completed"
    assert next(refused) == 3
    assert work.records(saga_id) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "ways", [["away", "landed", "away"], ["limit"], ["limit", "away"], ["own limit", "away"]]
)
def test_a_result_is_kept_until_the_log_has_it(work, saga_id, lose_answers, ways):
    lose_answers("complete_step", *ways, saga_id=saga_id)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "c"]
    assert [event.name for event in handle.history()].count("step.completed") == 3


@pytest.mark.parametrize("where", ["call", "sleep"])
def test_a_soft_limit_that_comes_after_the_function_loses_no_result(monkeypatch, where):
    said = iter([SoftTimeLimitExceeded() if where == "call" else AWAY, AWAY, "landed"])

    def call():
        each = next(said)
        if isinstance(each, Exception):
            raise each
        return each

    naps = count()

    def sleep(seconds):
        if where == "sleep" and next(naps) == 0:
            raise SoftTimeLimitExceeded

    monkeypatch.setattr(log_retry.time, "sleep", sleep)
    assert retry_until_written(call, AWAY, until=time.monotonic() + 5) == "landed"


def test_wait_outlives_an_outage_that_ends_in_time(work, saga_id, monkeypatch):
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    read, failures = SagaLog.read_status, iter(range(2))

    def read_status(self, called_for):
        if next(failures, None) is not None:
            raise AWAY
        return read(self, called_for)

    monkeypatch.setattr(SagaLog, "read_status", read_status)
    assert handle.wait(timeout=60).outcome == "completed"
    assert engine_saga.records(saga_id) == ["a", "b", "c"]
