"""A Redis that refuses, on each server at hand: the caller is told why, and nothing is lost."""

import re
import uuid

import pytest
import redis

from amends import ConfigurationError, LogUnavailable
from amends.backend.client import client_of
from amends.backend.cluster import connect_anew
from amends.log.answers import Run
from amends.log.saga_log import SagaLog
from amends.log.starts import AlreadyThere, Started
from tests.support.log_view import view_of
from tests.support.refusals import REFUSALS, configured
from tests.support.sagas.trip import trip_saga


@pytest.fixture
def client(each_redis):
    with redis.Redis.from_url(each_redis.url, decode_responses=True) as client:
        yield client
        client.flushall()


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_told_by_its_code_and_what_was_refused_lands_later(
    client, journey, monkeypatch, code
):
    monkeypatch.setattr("amends.log.repetition._PAUSE", 0.0)
    log, (first, second, *_) = journey.log, [step.name for step in trip_saga.itinerary.steps]
    assert isinstance(journey.claim(first), Run)
    view_of(log).make_due(journey.id)
    calls = [
        lambda: log.starts.start_saga(uuid.uuid4().hex, trip_saga.itinerary, "{}"),
        lambda: journey.complete(first),
        lambda: log.workers.note_heartbeat("w", {1}, None, node="n", version="1"),
        lambda: log.maintenance.take_due(lease=1.0, limit=1),
        lambda: log.control.cancel_saga(journey.id, error="{}", actor={}),
    ]
    with REFUSALS[code](client):
        for call in calls:
            with pytest.raises(LogUnavailable, match=rf"the saga log: .*\(({code})\)") as caught:
                call()
            certain = re.search(r"\((OOM|READONLY|NOREPLICAS|BUSY)\)", str(caught.value))
            assert caught.value.refused is bool(certain)
    start, complete, *_ = calls
    assert start() == Started(1)
    complete()
    assert journey.events()[-1] == f"step.completed {first}"
    assert isinstance(journey.claim(second), Run)


def test_a_key_that_is_something_else_is_no_outage(client, journey):
    client.delete(journey.saga_key)
    client.set(journey.saga_key, "of somebody else")
    with pytest.raises(ConfigurationError, match=r"holds other data under a key.*\(WRONGTYPE\)"):
        journey.claim("check_traveller")
    with pytest.raises(ConfigurationError, match="WRONGTYPE"):
        journey.log.read_saga(journey.id)


def test_one_saga_that_cannot_be_read_is_told_beside_the_others(client, journey):
    broken = uuid.uuid4().hex
    client.set(view_of(journey.log).saga_key(broken), "of somebody else")
    found = journey.log.maintenance.look_at_sagas([broken, journey.id], longest_wait=300.0)
    assert isinstance(found[0], ConfigurationError)
    assert not isinstance(found[1], Exception)


@pytest.mark.parametrize("who", ["", ":wrong@", "nobody:wrong@"])
def test_a_wrong_password_is_told_as_one(each_redis, client, who):
    log = SagaLog(client_of(each_redis.url.replace("//", f"//{who}")))
    with (
        configured(client, "requirepass", "secret"),
        pytest.raises(LogUnavailable, match=r"refuses the user or the password") as raised,
    ):
        log.starts.start_saga("x", trip_saga.itinerary, "{}")
    assert "wrong@" not in str(raised.value)


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_password_that_comes_later_is_told_as_missing(each_redis, client, protocol):
    known = client_of(f"{each_redis.url}?protocol={protocol}")
    log, saga_id = SagaLog(known), uuid.uuid4().hex
    log.starts.start_saga(saga_id, trip_saga.itinerary, "{}")
    with configured(client, "requirepass", "secret"):
        connect_anew(known)
        with pytest.raises(LogUnavailable, match=r"refuses the user or the password \(NOAUTH\)"):
            log.starts.start_saga(saga_id, trip_saga.itinerary, "{}")
    assert log.starts.start_saga(saga_id, trip_saga.itinerary, "{}") == AlreadyThere("pending")


def test_a_database_that_is_not_there_is_told_in_redis_own_words(each_redis):
    log = SagaLog(client_of(f"{each_redis.url}/99"))
    with pytest.raises(ConfigurationError, match="DB index is out of range"):
        log.starts.start_saga("x", trip_saga.itinerary, "{}")
