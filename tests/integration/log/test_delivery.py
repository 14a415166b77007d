"""Messages that a script puts into their queue with the transition that makes them due."""

import uuid

import pytest

from amends.definition.states import SagaStatus
from amends.log.answers import Delivered
from amends.log.delivery import Delivery
from amends.log.starts import AlreadyThere, Conflict, Started
from tests.support.log_view import view_of
from tests.support.sagas.trip import trip_saga

# A cluster is no broker.
pytestmark = pytest.mark.parametrize("client", ["fakeredis", "redis"], indirect=True)

QUEUE = "work\x06\x166"  # as kombu calls one of priority 6
HERE, ELSEWHERE = 0, 3


@pytest.fixture(params=[HERE, ELSEWHERE], ids=["the log's database", "another one"])
def delivery(request, client):
    """Prepare a message for a queue in this database."""
    log = client.connection_pool.connection_kwargs.get("db") or 0
    yield Delivery(text="message", destination=(QUEUE, log + request.param, log))
    on(client, log + request.param, "DEL", QUEUE)


def on(client, database, *command):
    """Run a command on another database of a client's Redis."""
    with client.pipeline(transaction=True) as pipeline:
        own = client.connection_pool.connection_kwargs.get("db") or 0
        pipeline.execute_command("SELECT", database)
        pipeline.execute_command(*command)
        pipeline.execute_command("SELECT", own)
        return pipeline.execute()[1]


def delivered(client, delivery):
    queue, database, _ = delivery.destination
    return [
        each.decode() if isinstance(each, bytes) else each
        for each in on(client, database, "LRANGE", queue, 0, -1)
    ]


def start(log, delivery, *ids, text="{}"):
    starts = [(saga_id, text) for saga_id in ids]
    return log.starts.start_sagas(trip_saga.itinerary, starts, [delivery] * len(ids))


def test_a_start_brings_its_message(log, client, delivery):
    saga_id = uuid.uuid4().hex
    assert start(log, delivery, saga_id) == [Delivered()]
    assert delivered(client, delivery) == ["message"]
    assert log.read_status(saga_id) == "pending"


def test_a_start_that_brings_its_message_is_indexed(log, client, delivery):
    saga_id, entry = uuid.uuid4().hex, "customer:t3:ada:"
    answer = log.starts.start_saga(saga_id, trip_saga.itinerary, "{}", delivery, search=[entry])
    assert answer == Delivered()
    assert delivered(client, delivery) == ["message"]
    index = view_of(log).search_key(view_of(log).shard_of(saga_id))
    found = client.zrange(index, 0, -1)
    assert any(each.startswith(entry) and each.endswith(f":{saga_id}") for each in found)


def test_of_many_each_brings_its_own(log, client, delivery):
    ids = [uuid.uuid4().hex for _ in range(200)]
    starts = [(saga_id, "{}") for saga_id in ids]
    messages = [Delivery(text=saga_id, destination=delivery.destination) for saga_id in ids]
    assert log.starts.start_sagas(trip_saga.itinerary, starts, messages) == [Delivered()] * 200
    assert sorted(delivered(client, delivery)) == sorted(ids)
    assert {log.read_status(saga_id) for saga_id in ids} == {"pending"}


def test_a_start_that_is_none_brings_none(log, client, delivery):
    saga_id = uuid.uuid4().hex
    start(log, delivery, saga_id)
    assert start(log, delivery, saga_id) == [AlreadyThere(SagaStatus.PENDING)]
    (refused,) = start(log, delivery, saga_id, text='{"another":1}')
    assert refused == Conflict("trip", SagaStatus.PENDING, "{}")
    assert delivered(client, delivery) == ["message"]


def test_a_start_that_has_to_be_repeated_with_its_definition_brings_one(log, client, delivery):
    start(log, delivery, uuid.uuid4().hex)
    client.delete(*client.keys("amends:*:definitions"))
    on(client, delivery.destination[1], "DEL", QUEUE)
    ids = [uuid.uuid4().hex for _ in range(100)]
    assert start(log, delivery, *ids) == [Delivered()] * 100
    assert len(delivered(client, delivery)) == 100


@pytest.fixture
def begun(journey):
    """Let a saga's first step run."""
    journey.claim("check_traveller")
    return journey


def finish(journey, delivery, *, token="t", link="travel"):
    return journey.complete("check_traveller", token, link=link, message=delivery)


def test_a_finished_step_brings_the_next_ones_message(begun, client, delivery):
    assert finish(begun, delivery).said == "delivered"
    assert delivered(client, delivery) == ["message"]
    assert begun.events()[-1] == "step.completed check_traveller"


def test_one_that_is_repeated_brings_it_once(begun, client, delivery):
    assert [finish(begun, delivery).said for _ in range(2)] == ["delivered"] * 2
    assert delivered(client, delivery) == ["message"]


@pytest.mark.parametrize("act", ["pause", "cancel"])
def test_none_is_brought_where_the_chain_does_not_go_on(begun, client, delivery, act):
    if act == "pause":
        begun.log.control.pause_saga(begun.id, actor={})
    else:
        begun.log.control.cancel_saga(begun.id, actor={}, error='{"type":"Cancelled"}')
    assert finish(begun, delivery).said in ("end", "advance")
    assert delivered(client, delivery) == []


def test_none_is_brought_where_something_else_is_next(begun, client, delivery):
    assert finish(begun, delivery, link="postcard").said == "advance"
    assert delivered(client, delivery) == []


def test_none_is_brought_by_a_claim_that_was_lost(begun, client, delivery):
    assert finish(begun, delivery, token="another").said == "late"
    assert delivered(client, delivery) == []


def test_what_the_broker_refuses_is_left_to_be_published(log, journey, client, delivery):
    queue, database, _ = delivery.destination
    on(client, database, "SET", queue, "no list")
    assert start(log, delivery, uuid.uuid4().hex) == [Started(1)]
    journey.claim("check_traveller")
    assert finish(journey, delivery).said == "go"
    assert journey.events()[-1] == "step.completed check_traveller"
    assert journey.claim("travel").attempts == 0


def test_a_database_that_is_not_there_leaves_it_to_be_published(log, client):
    own = client.connection_pool.connection_kwargs.get("db") or 0
    nowhere = Delivery(text="message", destination=(QUEUE, 99, own))
    ids = [uuid.uuid4().hex for _ in range(2)]
    assert start(log, nowhere, *ids) == [Started(1)] * 2
    assert {log.read_status(saga_id) for saga_id in ids} == {"pending"}
