"""Retries on RabbitMQ's quorum queues, where Celery has the broker delay a message, by whole seconds."""

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

from amends import NotDone, RetryPolicy, Saga, Step, activity
from tests.support.engine_saga import Job, JobResult, do_a, engine_saga, undo_a, without_effect


@pytest.fixture(scope="module")
def app(redis_url, rabbitmq_url):
    app = Celery("quorum", broker=rabbitmq_url)
    app.conf.update(
        amends_backend=f"{redis_url}/7",
        task_default_queue="quorum",
        task_default_queue_type="quorum",
        task_default_exchange_type="topic",
        broker_native_delayed_delivery_queue_type="classic",
        worker_detect_quorum_queues=True,
    )
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


@pytest.fixture(scope="module")
def worker(app):
    how = {"pool": "threads", "concurrency": 2, "loglevel": "CRITICAL", "shutdown_timeout": 30}
    with start_worker(app, perform_ping_check=False, **how) as worker:
        yield worker


@activity(
    retry=RetryPolicy(max_attempts=2, initial_interval=0.3, max_interval=0.3, jitter=0.0),
)
def busy(job: Job) -> None:
    engine_saga.play(job)


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
def test_a_wait_under_a_second_is_a_message_of_its_own(worker, saga_id, dispatch, warnings):
    saga = Saga(
        f"quorum_{dispatch}",
        input=Job,
        output=JobResult,
        outputs={"part": "a.part"},
        dispatch=dispatch,
        steps=[Step(do_a, name="a", compensation=undo_a), Step(busy, compensation=None)],
    )
    engine_saga.script(f"{saga_id}:busy", without_effect(NotDone("busy")))
    handle = saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome == "completed"
    assert engine_saga.records(saga_id) == ["a", "busy", "busy"]
    assert "when it is due" not in warnings.text  # a sweep would have published it
