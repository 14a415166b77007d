"""Starts, and what the log holds of definitions."""

import uuid
from dataclasses import replace
from functools import partial
from itertools import count, islice

import pytest
import redis

from amends import ConfigurationError, LogUnavailable
from amends.backend.client import client_of
from amends.definition.states import SagaStatus
from amends.log.keys import LAYOUT
from amends.log.saga_log import SagaLog
from amends.log.starts import AlreadyThere, Conflict, Started
from demo.ports import free_port
from tests.support.log_view import keys_like, view_of
from tests.support.sagas.trip import trip_saga


def test_a_second_start_with_the_same_input_is_the_same_saga(journey):
    assert journey.log.starts.start_saga(
        journey.id, trip_saga.itinerary, journey.input()
    ) == AlreadyThere(SagaStatus.PENDING)
    assert journey.events() == ["saga.started"]


def test_a_second_start_with_another_input_is_refused(journey):
    answer = journey.log.starts.start_saga(journey.id, trip_saga.itinerary, journey.input(nights=2))
    assert answer == Conflict("trip", SagaStatus.PENDING, journey.input())


def test_a_start_of_another_definition_under_the_same_id_is_refused(journey):
    other = trip_saga.itinerary.model_copy(update={"saga": "voyage"})
    assert journey.log.starts.start_saga(journey.id, other, journey.input()) == Conflict("trip")


def test_a_start_is_told_whether_what_was_given_is_alike(log):
    saga_id = uuid.uuid4().hex
    start = partial(log.starts.start_saga, saga_id, trip_saga.itinerary)
    start('{"a":1,"b":2}', given="alike")
    there = Conflict("trip", SagaStatus.PENDING, '{"a":1,"b":2}')
    assert start('{"a":1}', given="alike") == replace(there, given_alike=True)
    assert start('{"a":1}', given="other") == there
    assert start('{"a":1}') == there


def test_a_definition_is_sent_once_for_each_shard(log, client, monkeypatch):
    sent = []
    send = log._store._send

    def listen(name, calls):
        sent.extend(arguments[-5] for _, arguments in calls)
        return send(name, calls)

    monkeypatch.setattr(log._store, "_send", listen)
    ids = (uuid.uuid4().hex for _ in count())
    twins = islice((each for each in ids if view_of(log).shard_of(each) == 7), 2)
    for saga_id in twins:
        log.starts.start_saga(saga_id, trip_saga.itinerary, "{}")
    assert [bool(text) for text in sent] == [True, False]


def test_a_shard_that_lost_its_definitions_asks_for_them(log, client):
    log.starts.start_saga(uuid.uuid4().hex, trip_saga.itinerary, "{}")
    for key in keys_like(client, "amends:*:definitions"):
        client.delete(key)
    ids = [uuid.uuid4().hex for _ in range(100)]
    assert (
        log.starts.start_sagas(trip_saga.itinerary, [(saga_id, "{}") for saga_id in ids])
        == [Started(1)] * 100
    )
    answer = log.claim_step(ids[0], "check_traveller", token="t", owner="o", retries=0)
    assert answer.itinerary == trip_saga.itinerary


def test_a_start_that_the_log_does_not_confirm_is_an_error(log, monkeypatch):
    # As where the definition that it just sent is lost again.
    monkeypatch.setattr(log._store, "call_for_one", lambda *_: ["define"])
    with pytest.raises(ValueError, match="define"):
        log.starts.start_saga(uuid.uuid4().hex, trip_saga.itinerary, "{}")


def test_scripts_that_redis_forgot_are_loaded_again(log, client):
    log.starts.start_saga(uuid.uuid4().hex, trip_saga.itinerary, "{}")
    client.script_flush()
    assert log.starts.start_saga(uuid.uuid4().hex, trip_saga.itinerary, "{}") == Started(1)


def test_a_log_of_a_newer_layout_is_refused_by_readers_and_writers(client):
    namespace = uuid.uuid4().hex
    client.set(f"amends:{namespace}:shards", f"64 {LAYOUT + 1}")
    log = SagaLog(client, root=f"amends:{namespace}:")
    for use in (lambda: log.read_status("a"), lambda: log.maintenance.take_due(lease=1.0, limit=1)):
        with pytest.raises(
            ConfigurationError, match=r"a newer release of amends wrote.* upgrade amends"
        ):
            use()
    own, other = ("64", "64 2") if view_of(log).shards_text == "64" else ("64 2", "64")
    client.set(f"amends:{namespace}:shards", other)
    with pytest.raises(ConfigurationError, match=r"was made on .* another log"):
        log.read_status("a")
    client.set(f"amends:{namespace}:shards", own)
    assert log.maintenance.take_due(lease=1.0, limit=1) == []


def test_another_number_of_shards_is_refused(log, client):
    log.starts.start_saga(uuid.uuid4().hex, trip_saga.itinerary, "{}")
    with pytest.raises(
        ConfigurationError, match="has 64 shards and amends_shards says 16; set it to 64"
    ):
        SagaLog(client, shards=16).maintenance.take_due(lease=1.0, limit=1)


def test_a_log_that_cannot_be_reached_says_so():
    log = SagaLog(client_of(f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(LogUnavailable, match="the saga log at amends_backend cannot be reached"):
        log.starts.start_saga("x", trip_saga.itinerary, "{}")


def test_a_redis_that_is_full_is_as_good_as_away(redis_url):
    # Taken at face value, an error of the store would fail a healthy step.
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        log = SagaLog(client)
        log.starts.start_saga(uuid.uuid4().hex, trip_saga.itinerary, "{}")
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(LogUnavailable, match="OOM"):
                log.starts.start_saga(uuid.uuid4().hex, trip_saga.itinerary, "{}")
        finally:
            client.config_set("maxmemory", 0)
