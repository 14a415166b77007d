"""Rows O of the list of anomalies: starting, racing, and a broker that knows better than the log."""

import logging
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery
from kombu import Producer

import amends
from amends import SagaAlreadyStarted, UnknownSaga
from amends.definition.serialization import canonical_json
from amends.dispatch.coordinator import advance
from amends.log.answers import Run
from amends.worker.sweep import Sweep
from demo.ports import free_port
from tests.support.engine_saga import Job, do_a, engine_saga, job_saga
from tests.support.eventually import eventually


def together(count, act):
    """Call `act` in so many threads at once and return what each got."""
    gate = threading.Barrier(count)

    def go(number):
        gate.wait()
        return act(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(go, range(count)))


def test_o1_twenty_starts_of_one_id_are_one_saga(work, app, saga_id):
    app.set_default()
    handles = together(20, lambda _: job_saga.start(Job(job_id=saga_id), saga_id=saga_id))
    assert {handle.wait(timeout=60).outcome for handle in handles} == {"completed"}
    assert work.records(saga_id) == ["a", "b", "c"]
    assert [event.name for event in handles[0].history()].count("saga.started") == 1


def test_o1_the_same_id_with_another_input_or_definition_is_refused(work, saga_id):
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    with pytest.raises(SagaAlreadyStarted):
        job_saga.start(Job(job_id="another"), saga_id=saga_id)


def test_o1_start_many_starts_each_once(work, saga_id):
    ids = [f"{saga_id}-{n}" for n in range(10)]
    jobs = [Job(job_id=each) for each in ids]
    handles = job_saga.start_many(jobs, saga_ids=ids) + job_saga.start_many(jobs, saga_ids=ids)
    assert {handle.wait(timeout=60).outcome for handle in handles} == {"completed"}
    assert all(work.records(each) == ["a", "b", "c"] for each in ids)


def test_o1_start_many_starts_the_others_where_one_is_refused(work, saga_id):
    job_saga.start(Job(job_id="another"), saga_id=f"{saga_id}-1").wait(timeout=60)
    ids = [f"{saga_id}-{n}" for n in range(3)]
    with pytest.raises(SagaAlreadyStarted, match=f"{saga_id}-1"):
        job_saga.start_many([Job(job_id=each) for each in ids], saga_ids=ids)
    for each in (ids[0], ids[2]):
        assert job_saga.get(each).wait(timeout=60).outcome == "completed"


def test_o5_of_twenty_claims_at_once_one_is_admitted(log, saga_id):
    log.starts.start_saga(saga_id, job_saga.itinerary, '{"job_id":"x"}')
    answers = together(
        20, lambda n: log.claim_step(saga_id, "a", token=f"t{n}", owner="o", retries=0)
    )
    assert Counter(type(answer) for answer in answers)[Run] == 1


def test_o5_of_twenty_results_at_once_one_is_recorded(log, saga_id):
    log.starts.start_saga(saga_id, job_saga.itinerary, '{"job_id":"x"}')
    log.claim_step(saga_id, "a", token="t", owner="o", retries=0)
    wrong = [f"t{n}" for n in range(19)]
    answers = together(
        20,
        lambda n: log.complete_step(saga_id, "a", token=["t", *wrong][n], output="{}", link="b"),
    )
    assert Counter(answer.said for answer in answers) == {"go": 1, "late": 19}


def test_o20_messages_that_the_broker_lost_are_published_again(app, saga_id, log, broker, request):
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    broker.delete("work")
    engine_saga.let_wait(log, saga_id)
    request.getfixturevalue("worker")
    Sweep(app, may_judge=lambda: False).run_once()
    assert job_saga.get(saga_id).wait(timeout=60).outcome == "completed"


@pytest.fixture
def without_broker(app):
    """Make an app current whose broker is away; its log is the same."""
    away = Celery("away", broker=f"redis://127.0.0.1:{free_port()}/0")
    away.conf.update(amends_backend=app.conf.amends_backend, amends_compensation_queue="undo")
    away.set_current()
    yield
    app.set_current()
    away.close()


def test_o20_a_start_while_the_broker_is_away_returns_with_a_warning(
    without_broker, saga_id, warnings
):
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert "once the broker is back" in warnings.text
    assert handle.status == "pending"


def test_o20_a_channel_that_kombu_has_closed_is_a_broker_that_is_away(
    app, log, saga_id, caplog, monkeypatch
):
    def publish(producer, *body, **how):
        producer.channel.connection = None  # as kombu leaves it
        return producer.channel.basic_publish(*body, **how)

    monkeypatch.setattr(Producer, "publish", publish)
    with caplog.at_level(logging.WARNING):
        handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.status == "pending"
    assert "runs once the broker is back" in caplog.text
    assert handle.cancel()  # which sends `advance`, or would


def test_o20_a_second_start_of_a_pending_saga_publishes_again(work, log, saga_id):
    log.starts.start_saga(
        saga_id, job_saga.itinerary, canonical_json({"job_id": saga_id, "amount": 1})
    )
    assert job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60).outcome == "completed"


def test_o20_a_message_for_a_saga_that_the_log_does_not_know_creates_nothing(
    work, app, log, saga_id
):
    signature = app.signature(
        do_a.name,
        kwargs={"saga_id": saga_id, "step": "a"},
        task_id=f"{saga_id}.1.a",
        immutable=True,
    )
    signature.apply_async(task_id=f"{saga_id}.1.a")
    eventually(lambda: work.ended[f"{saga_id}.1.a"] == 1)
    assert work.records(saga_id) == []
    with pytest.raises(UnknownSaga, match="is amends_backend the right one"):
        amends.get(saga_id)


def test_an_advance_of_a_saga_that_is_owned_publishes_nothing(app, log, saga_id, broker):
    log.starts.start_saga(saga_id, job_saga.itinerary, '{"job_id":"x"}')
    log.claim_step(saga_id, "a", token="t", owner="o", retries=0)
    before = log.read_saga(saga_id).fields["messages"]
    advance(app, saga_id)
    assert log.read_saga(saga_id).fields["messages"] == before
