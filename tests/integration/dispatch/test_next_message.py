"""The message of the next step, which the task of the one before publishes in Celery's place."""

import json
import re

import pytest
from celery import signals
from kombu.exceptions import OperationalError

from amends.activities import step_at_hand
from amends.dispatch import fast_path
from tests.support.engine_saga import Job, job_saga
from tests.support.eventually import eventually
from tests.support.published_messages import plain

pytestmark = pytest.mark.usefixtures("swept")


@pytest.fixture
def messages_of(work):
    """Run a saga; answers its messages but the first, as text.

    Without what differs from run to run, its id and the thread's, without the number of the error callback,
    which is that of the message that it came with first, or of this one, and without how often it is tried.
    """
    found = []

    def note(retry_policy, **fields):
        found.append(plain(fields))

    def run(saga_id):
        found.clear()
        handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        assert handle.wait(timeout=60).outcome == "completed"
        own = [
            each for each in found if each["headers"]["root_id"] == saga_id
        ]  # a sweep may publish another's
        later = [each for each in own if each["headers"]["id"] != f"{saga_id}.1.a"]
        texts = [json.dumps(each, sort_keys=True).replace(saga_id, "SAGA") for each in later]
        return [re.sub(r'"reply_to": "[^"]+"|SAGA\.\d\.advance', "", text) for text in texts]

    signals.before_task_publish.connect(note, weak=False)
    yield run
    signals.before_task_publish.disconnect(note)


def test_it_is_the_message_that_celery_would_publish(saga_id, messages_of, monkeypatch):
    ours = messages_of(saga_id)
    assert len(ours) == 2
    monkeypatch.setattr(fast_path, "takes", lambda *_: False)
    celerys = messages_of(saga_id[::-1])
    assert ours == celerys


def test_a_step_is_done_although_its_next_message_cannot_be_published(
    work, saga_id, log, monkeypatch
):
    bounded = step_at_hand.bounded

    def refuse_once(app):
        monkeypatch.setattr(step_at_hand, "bounded", bounded)
        raise OperationalError("the broker is away")

    monkeypatch.setattr(fast_path, "publish", lambda *_: False)
    monkeypatch.setattr(step_at_hand, "bounded", refuse_once)
    states = []

    def note(task_id, state, **_):
        states.append((task_id, state))

    signals.task_postrun.connect(note)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: (f"{saga_id}.1.a", "SUCCESS") in states)
    signals.task_postrun.disconnect(note)
    work.let_wait(log, saga_id)
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "c"]
