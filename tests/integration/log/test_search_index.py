"""The search index: sagas enter it in the script that starts them, and leave it in the one that removes them."""

import uuid

import pytest

from amends.backend.scripts import of_any_kind
from amends.definition.search_fields import entries_of
from amends.log.keys import ROOT
from amends.log.maintenance import Maintenance
from amends.log.saga_log import SagaLog
from amends.log.starts import AlreadyThere, Conflict, Started
from tests.support.log_view import keys_like, view_of
from tests.support.sagas.parcel import Parcel, parcel_saga, plain_parcel_saga

ITINERARY = parcel_saga.itinerary


def entries(**fields) -> list[str]:
    return entries_of(ITINERARY.search, Parcel(**fields), what="the input")


def indexed(log: SagaLog, client, saga_id: str) -> set[str]:
    """Return what the search index has of a saga, without the time."""
    key = view_of(log).search_key(view_of(log).shard_of(saga_id))
    found = client.zrange(key, 0, -1)
    assert {score for _, score in client.zrange(key, 0, -1, withscores=True)} <= {0}
    at = client.hget(view_of(log).saga_key(saga_id), "created")
    return {each.removesuffix(f"{at}:{saga_id}") for each in found if each.endswith(f":{saga_id}")}


def end(log: SagaLog, saga_id: str) -> None:
    log.claim_step(saga_id, "pack_parcel", token="t", owner="o", retries=0)
    log.complete_step(saga_id, "pack_parcel", token="t", output="null", link="")


@pytest.fixture
def saga_id():
    return uuid.uuid4().hex


def start(log, saga_id, **fields):
    return log.starts.start_saga(saga_id, ITINERARY, '{"a":1}', search=entries(**fields))


def test_a_saga_is_indexed_as_it_starts_and_its_entries_leave_with_it(log, client, saga_id):
    assert start(log, saga_id, customer="ada: a=b", price="17.50") == Started(1)
    own = {"customer:t8:ada: a=b:", "price:n4:17.5:", "size:t5:small:", "stops:n1:0:"}
    assert indexed(log, client, saga_id) == own
    end(log, saga_id)
    assert indexed(log, client, saga_id) == own
    assert log.maintenance.remove_sagas([saga_id], kept_for=100.0) == 0
    assert indexed(log, client, saga_id) == own
    assert log.maintenance.remove_sagas([saga_id], kept_for=0.0) == 1
    assert not any(saga_id in each for each in client.zrange(search_key(log, saga_id), 0, -1))


def search_key(log, saga_id):
    return view_of(log).search_key(view_of(log).shard_of(saga_id))


def test_many_that_start_at_once_have_each_its_own_entries(log, client):
    ids = [uuid.uuid4().hex for _ in range(120)]
    starts = [
        (each, "{}", "", *entries(customer=f"c-{n}" if n % 3 else None))
        for n, each in enumerate(ids)
    ]
    assert log.starts.start_sagas(ITINERARY, starts) == [Started(1)] * len(ids)
    for n, each in enumerate(ids):
        customer = f"c-{n}"
        own = {f"customer:t{len(customer)}:{customer}:"} if n % 3 else set()
        assert indexed(log, client, each) == own | {"size:t5:small:", "stops:n1:0:"}
        end(log, each)
    assert log.maintenance.remove_sagas(ids, kept_for=0.0) == len(ids)
    left = {each for id_ in ids for each in client.zrange(search_key(log, id_), 0, -1)}
    assert not {each.rpartition(":")[2] for each in left} & set(ids)


def test_a_saga_whose_fields_are_none_has_no_entry(log, client, saga_id):
    itinerary = parcel_saga.itinerary
    assert log.starts.start_saga(saga_id, itinerary, "{}", search=["", ""]) == Started(1)
    assert indexed(log, client, saga_id) == set()
    assert client.hget(view_of(log).saga_key(saga_id), "search") is None


def test_a_second_start_changes_nothing_in_the_index(log, client, saga_id):
    start(log, saga_id, customer="ada")
    before = indexed(log, client, saga_id)
    assert start(log, saga_id, customer="ada") == AlreadyThere("pending")
    assert start(log, saga_id, customer="bob") == AlreadyThere("pending")
    other = log.starts.start_saga(saga_id, ITINERARY, "{}", search=entries(customer="bob"))
    assert isinstance(other, Conflict)
    plain = plain_parcel_saga.itinerary
    assert log.starts.start_saga(saga_id, plain, "{}") == Conflict("parcel")
    assert indexed(log, client, saga_id) == before


def test_a_saga_that_was_started_without_fields_gets_none_by_a_second_start(log, client, saga_id):
    """As one that an earlier release started, or code from before `search=`; its removal finds nothing amiss."""
    log.starts.start_saga(saga_id, ITINERARY, '{"a":1}')
    assert start(log, saga_id, customer="ada") == AlreadyThere("pending")
    assert indexed(log, client, saga_id) == set()
    end(log, saga_id)
    assert log.maintenance.remove_sagas([saga_id], kept_for=0.0) == 1
    assert not client.exists(view_of(log).saga_key(saga_id))


def test_a_start_whose_definition_the_shard_lost_is_indexed_by_its_repetition(log, client, saga_id):
    other = uuid.uuid4().hex
    start(log, other, customer="ada")
    for key in keys_like(client, f"{ROOT}*:definitions"):
        client.delete(key)
    assert start(log, saga_id, customer="ada") == Started(1)
    assert "customer:t3:ada:" in indexed(log, client, saga_id)


def test_a_saga_without_fields_costs_what_it_cost_before_there_were_any(
    log, client, saga_id, monkeypatch
):
    sent = []
    send = log._store._send

    def listen(name, calls):
        sent.extend((name, keys, arguments) for keys, arguments in calls)
        return send(name, calls)

    monkeypatch.setattr(log._store, "_send", listen)
    itinerary = plain_parcel_saga.itinerary
    log.starts.start_saga(saga_id, itinerary, "{}", given="given")
    log.starts.start_sagas(itinerary, [(uuid.uuid4().hex, "{}", "given")])
    end(log, saga_id)
    names = [of_any_kind(name) for name, *_ in sent]
    assert names == [*["start_saga"] * 2, "claim_step", "complete_step"]
    assert [len(keys) for _, keys, _ in sent] == [13, 13, 12, 12]
    assert {len(arguments) for name, _, arguments in sent if name == "start_saga"} == {16}
    assert not any(":search" in key for _, keys, _ in sent for key in keys)
    assert client.hget(view_of(log).saga_key(saga_id), "search") is None


def test_the_keys_of_a_start_and_of_a_removal_are_declared_and_in_the_sagas_shard(log, monkeypatch):
    sent = []
    send = log._store._send

    def listen(name, calls):
        sent.extend(keys for keys, _ in calls)
        return send(name, calls)

    monkeypatch.setattr(log._store, "_send", listen)
    ids = [uuid.uuid4().hex for _ in range(5)]
    log.starts.start_sagas(ITINERARY, [(each, "{}", "", *entries()) for each in ids])
    start(log, uuid.uuid4().hex)
    Maintenance(log._store, log._definitions).remove_sagas(ids, kept_for=0.0)
    for keys in sent:
        (tag,) = {key.partition("}")[0] for key in keys}
        assert f"{tag}}}:search" in keys
