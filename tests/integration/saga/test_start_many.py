"""Many starts at once: few calls of the log, few of the broker, and each start as if alone."""

import uuid
from itertools import count, islice

import pytest
import redis
from kombu import VERSION as KOMBU
from kombu.exceptions import OperationalError
from kombu.transport import redis as transport

import amends
from amends import SagaAlreadyStarted
from amends.dispatch.canvas import publish_canvas
from amends.dispatch.coordinator import publish_many
from amends.log.saga_log import log_of
from amends.saga import definition
from demo.ports import free_port
from tests.support.engine_saga import Job
from tests.support.log_view import view_of
from tests.support.published_messages import (
    all_published,
    all_taken,
    app_with,
    heard,
    letter_saga,
    purge,
    what_remains,
)

START = [("pay", 0), ("tell", 0), ("file", 0), ("check", 0)]


@pytest.fixture
def app(redis_url):
    with redis.Redis.from_url(f"{redis_url}/4") as broker:  # others may have left messages there
        broker.flushdb()
    return app_with(f"{redis_url}/4", amends_backend=f"{redis_url}/6")


@pytest.fixture
def calls(app, monkeypatch):
    """Note what is sent to the log for starts: for each call its keys and arguments."""
    store, sent = log_of(app)._store, []
    send = store._send

    def listen(name, calls):
        if name == "start_saga":
            sent.append(calls)
        return send(name, calls)

    monkeypatch.setattr(store, "_send", listen)
    return sent


def jobs(number):
    return [Job(job_id=str(n)) for n in range(number)]


def new_ids(number):
    return [uuid.uuid4().hex for _ in range(number)]


def ids_of_shard(app, shard, number):
    shard_of = view_of(log_of(app)).shard_of
    fresh = (uuid.uuid4().hex for _ in count())
    return list(islice((each for each in fresh if shard_of(each) == shard), number))


@pytest.mark.parametrize("of", ["redis", "rabbitmq"])
def test_each_message_is_the_one_that_its_canvas_makes(request, of):
    broker = f"{request.getfixturevalue('redis_url')}/4"
    if of == "rabbitmq":
        broker = request.getfixturevalue("rabbitmq_url")
    app, ids = app_with(broker, task_send_sent_event=True), new_ids(5)
    purge(app)
    what = what_remains(START)
    made = all_published(app, *((publish_canvas, each, what) for each in ids))
    assert len(made[0]) == 5
    assert all_published(app, (publish_many, ids, what)) == made


def test_the_log_is_asked_once_for_each_shard_in_one_round_trip(app, calls):
    ids = new_ids(500)
    handles = letter_saga.start_many(jobs(500), saga_ids=ids)
    assert [handle.id for handle in handles] == ids
    ((*together,),) = calls
    shards = {view_of(log_of(app)).shard_of(each) for each in ids}
    assert len(together) == len(shards)
    assert len(all_taken(app)) == 500


def test_each_gets_its_own_input(app):
    ids = new_ids(100)
    letter_saga.start_many(jobs(100), saga_ids=ids)
    log = log_of(app)
    inputs = [log.read_saga(each).fields["input"] for each in ids]
    assert inputs == [f'{{"amount":1,"job_id":"{n}"}}' for n in range(100)]
    purge(app)


def test_one_call_takes_so_few_that_others_wait_for_milliseconds(app, calls):
    ids = ids_of_shard(app, 3, 120)
    letter_saga.start_many(jobs(120), saga_ids=ids)
    assert [arguments[0] for _, arguments in calls[0]] == [50, 50, 20]
    assert {message["headers"]["root_id"] for message in all_taken(app)} == set(ids)


def test_each_is_answered_by_itself(app):
    ids = ids_of_shard(app, 5, 4)
    letter_saga.start(Job(job_id="same"), saga_id=ids[1])
    letter_saga.start(Job(job_id="another"), saga_id=ids[2])
    purge(app)
    same = [Job(job_id="same")] * 4
    with pytest.raises(SagaAlreadyStarted, match=ids[2]):
        letter_saga.start_many(same, saga_ids=ids)
    roots = [message["headers"]["root_id"] for message in all_taken(app)]
    assert sorted(roots) == sorted([ids[0], ids[1], ids[3]])  # the second again: is it on its way?


def test_an_id_that_comes_twice_is_one_saga(app, saga_id):
    job = Job(job_id="1")
    letter_saga.start_many([job, job], saga_ids=[saga_id, saga_id])
    assert [event.name for event in amends.get(saga_id).history()] == ["saga.started"]
    purge(app)


def test_an_id_with_another_input_is_refused_though_it_comes_again(app, saga_id):
    given = [Job(job_id="1"), Job(job_id="2"), Job(job_id="1")]
    with pytest.raises(SagaAlreadyStarted, match=saga_id):
        letter_saga.start_many(given, saga_ids=[saga_id] * 3)
    purge(app)


def test_observers_hear_of_each(app):
    heard = []

    def hear(saga_id, **_):
        heard.append(saga_id)

    amends.saga_started.connect(hear, weak=False)
    ids = new_ids(100)
    try:
        letter_saga.start_many(jobs(100), saga_ids=ids)
    finally:
        amends.saga_started.disconnect(hear)
    assert sorted(heard) == sorted(ids)
    purge(app)


def test_a_shard_that_lost_its_definitions_is_told_them_again(app):
    letter_saga.start_many(jobs(200))
    client = view_of(log_of(app)).client
    client.delete(*client.keys("amends:*:definitions"))
    letter_saga.start_many(jobs(200))
    assert len(all_taken(app)) == 400


def test_an_iterator_is_read_as_far_as_the_next_start_needs(app):
    ids, log = new_ids(2_500), log_of(app)

    def each():
        for number, job in enumerate(jobs(2_500)):
            if number >= 1_000:  # by then the first ones are under way
                assert log.read_status(ids[number - 1_000])
            yield job

    letter_saga.start_many(each(), saga_ids=iter(ids))
    assert len(all_taken(app)) == 2_500


def test_large_inputs_are_started_few_at_a_time(app, calls):
    large = [Job(job_id="x" * 900_000) for _ in range(10)]
    letter_saga.start_many(large)
    sizes = [sum(len(keys) for keys, _ in together) for together in calls]
    assert len(sizes) == 2
    assert len(all_taken(app)) == 10


def test_of_a_list_none_is_started_where_one_input_is_wrong(app, calls):
    with pytest.raises(ValueError, match="validation error"):
        letter_saga.start_many([*jobs(1_200), None])
    assert not calls


@pytest.mark.fast_path
@pytest.mark.skipif(KOMBU < (5, 7), reason="kombu publishes one by one")
def test_messages_go_to_redis_together(app, monkeypatch):
    alone = []
    execute = redis.Redis.execute_command

    def listen(self, *words, **how):
        alone.append(words[0])
        return execute(self, *words, **how)

    monkeypatch.setattr(definition, "deliveries", lambda *_: None)
    letter_saga.start_many(jobs(2))
    monkeypatch.setattr(redis.Redis, "execute_command", listen)
    letter_saga.start_many(jobs(50))
    assert alone.count("LPUSH") == 1  # which brings them all
    with heard():  # each is built by Celery then, and kombu sends them together
        letter_saga.start_many(jobs(50))
    assert alone.count("LPUSH") == 1
    monkeypatch.undo()
    assert len(all_taken(app)) == 102


@pytest.mark.skipif(KOMBU < (5, 7), reason="kombu publishes one by one")
def test_what_the_broker_may_not_have_taken_together_is_published_one_by_one(app, monkeypatch):
    def lose(batch):
        if batch._buffered:
            batch.pipeline.execute, broken = refuse, batch.pipeline.execute
            try:
                flush(batch)
            finally:
                batch.pipeline.execute = broken

    def refuse(*_):
        raise redis.ConnectionError("gone")

    flush = transport.PublishBatch.flush
    monkeypatch.setattr(transport.PublishBatch, "flush", lose)
    ids = new_ids(20)
    with heard():
        letter_saga.start_many(jobs(20), saga_ids=ids)
    assert {message["headers"]["root_id"] for message in all_taken(app)} == set(ids)


def test_a_broker_that_goes_away_is_warned_of_once_and_not_asked_again(app, monkeypatch, warnings):
    asked = []

    def refuse(app, ids, what):
        asked.append(len(ids))
        if len(asked) > 1:
            raise OperationalError("gone")

    monkeypatch.setattr(definition, "deliveries", lambda *_: None)
    monkeypatch.setattr(definition, "publish_many", refuse)
    ids = new_ids(3_500)
    handles = letter_saga.start_many(iter(jobs(3_500)), saga_ids=ids)
    assert (
        len(asked) == 2
    )  # of four; after an answer of the log that was lost one has fewer sagas to publish
    (warned,) = {line for line in warnings.messages if "runs once the broker is back" in line}
    assert ids[1_000] in warned
    assert {handle.status for handle in (handles[0], handles[-1])} == {"pending"}


def test_without_a_broker_all_are_in_the_log_and_due(redis_url, warnings):
    app = app_with(
        f"redis://127.0.0.1:{free_port()}/0",
        amends_backend=f"{redis_url}/6",
        task_publish_retry_policy={"max_retries": 0},
    )
    handles = letter_saga.start_many(jobs(20))
    store = log_of(app)._store
    for handle in handles:
        assert store.client.zscore(store.due_key(store.shard_of(handle.id)), handle.id)
    (_,) = {line for line in warnings.messages if "runs once the broker is back" in line}
