"""A log that takes no writes while a step ends: its result is kept, and the activity is not called again."""

import uuid
from contextlib import ExitStack

import pytest
import redis
from celery import Celery

from amends import Refused
from tests.support.engine_saga import Job, inline_saga, job_saga, succeed, without_effect
from tests.support.eventually import eventually
from tests.support.refusals import REFUSALS


@pytest.fixture(scope="module")
def app(redis_url, each_redis):
    """Give an app whose log is in a Redis of its own."""
    app = Celery("refused", broker=f"{redis_url}/5")
    app.conf.update(amends_backend=f"{each_redis.url}/0", amends_sweep_interval=0.2)
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


@pytest.fixture
def client(each_redis):
    with redis.Redis.from_url(each_redis.url, decode_responses=True) as client:
        yield client


@pytest.mark.parametrize("refusal", ["OOM", "READONLY", "NOPERM"])
@pytest.mark.parametrize("ends", ["a", "b:undo"])
@pytest.mark.parametrize("saga", [job_saga, inline_saga], ids=lambda saga: saga.name)
def test_a_step_that_ends_while_the_log_refuses_is_called_once(
    work, client, warnings, saga, ends, refusal
):
    saga_id, refused = uuid.uuid4().hex, ExitStack()

    def end_so(key):
        succeed(key)
        refused.enter_context(REFUSALS[refusal](client))

    work.script(f"{saga_id}:{ends}", end_so)
    if ends != "a":
        work.script(f"{saga_id}:c", without_effect(Refused("no")))
    handle = saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with refused:
        eventually(lambda: f"saga {saga_id}: how {ends} ended is kept: " in warnings.text)
    assert handle.wait(timeout=60).outcome == ("completed" if ends == "a" else "no_c")
    undos = [] if ends == "a" else ["b:undo", "a:undo"]
    assert work.records(saga_id) == ["a", "b", "c", *undos]
    assert [step.attempts for step in handle.snapshot().steps.values()] == [1, 1, 1]
    assert f"({refusal})" in warnings.text
