"""Retries on RabbitMQ's quorum queues, where Celery has the broker delay a message, by whole seconds."""

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

from amends import NotDone, RetryPolicy, Saga, Step, activity
from amends.dispatch.broker import queue_length
from amends.log.saga_log import log_of
from tests.support.engine_saga import Job, JobResult, do_a, engine_saga, undo_a, without_effect
from tests.support.eventually import eventually


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


@activity(retry=RetryPolicy(max_attempts=4, initial_interval=3.0, max_interval=3.0, jitter=0.0))
def busy_for_long(job: Job) -> None:
    engine_saga.play(job)


def saga_of(call, dispatch):
    return Saga(
        f"quorum_{call.name.rpartition('.')[2]}_{dispatch}",
        input=Job,
        output=JobResult,
        outputs={"part": "a.part"},
        dispatch=dispatch,
        steps=[
            Step(do_a, name="a", compensation=undo_a),
            Step(call, name="busy", compensation=None),
        ],
    )


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
def test_a_wait_under_a_second_is_a_message_of_its_own(worker, saga_id, dispatch, warnings):
    engine_saga.script(f"{saga_id}:busy", without_effect(NotDone("busy")))
    handle = saga_of(busy, dispatch).start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome == "completed"
    assert engine_saga.records(saga_id) == ["a", "busy", "busy"]
    assert "when it is due" not in warnings.text  # a sweep would have published it


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
def test_the_second_wait_in_the_same_queues_is_not_taken_for_a_cycle(
    worker, app, saga_id, dispatch
):
    """RabbitMQ before 4.0.1 would drop its message, with a Celery before 5.6.3."""
    engine_saga.script(f"{saga_id}:busy", *[without_effect(NotDone("busy"))] * 3)
    handle = saga_of(busy_for_long, dispatch).start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=120).outcome == "completed"
    assert engine_saga.records(saga_id) == ["a", *["busy"] * 4]
    assert (
        messages_of(app, saga_id) == 2
    )  # a copy, which a sweep publishes, has a number of its own


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
def test_a_message_that_is_lost_while_it_waits_is_replaced(worker, app, saga_id, dispatch):
    engine_saga.script(f"{saga_id}:busy", without_effect(NotDone("busy")))
    handle = saga_of(busy_for_long, dispatch).start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: queue_length(app, "celery_delayed_1"))
    with app.connection_for_write() as connection:
        assert connection.default_channel.queue_purge("celery_delayed_1") == 1
    assert handle.wait(timeout=120).outcome == "completed"
    assert engine_saga.records(saga_id) == ["a", "busy", "busy"]
    assert messages_of(app, saga_id) == 3


def messages_of(app, saga_id):
    return int(log_of(app).read_saga(saga_id).fields["messages"])
