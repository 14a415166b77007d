"""Sagas are found by their search fields."""

import secrets
import uuid
from decimal import Decimal

import pytest
from celery import Celery

import amends
from amends import UnknownSaga
from amends.backend.celery_apps import current
from amends.backend.client import client_of
from amends.definition.search_fields import entries_of
from amends.dispatch.in_process import run_here
from amends.log.queries import search as searching
from amends.log.queries.index_walk import IndexWalk
from amends.log.queries.listing import find_sagas
from amends.log.queries.query import Query
from amends.log.saga_log import log_of
from amends.worker.retention import remove_ended
from tests.support.log_view import view_of
from tests.support.refusals import configured
from tests.support.sagas.parcel import (
    Parcel,
    ParcelResult,
    Size,
    inline_parcel_saga,
    parcel_saga,
    plain_parcel_saga,
)


@pytest.fixture(params=["memory", "redis"])
def app(request):
    """Give an app with an empty log, current in this thread."""
    app = Celery("parcels", broker="memory://", set_as_current=False)
    app.conf.amends_backend = (
        f"memory://{secrets.token_hex(8)}"
        if request.param == "memory"
        else f"{request.getfixturevalue('redis_url')}/9"
    )
    app.finalize()
    client_of(app.conf.amends_backend).flushdb()
    with current(app):
        yield app
    client_of(app.conf.amends_backend).flushdb()


@pytest.fixture
def client(app):
    return view_of(log_of(app)).client


def start(saga_id, saga=parcel_saga, **fields):
    return saga.start(Parcel(**fields), saga_id=saga_id)


def found(**where):
    return [each.id for each in amends.find(**where)]


def remove_as_an_earlier_release(app, saga_id):
    view = view_of(log_of(app))
    view.client.delete(*view.keys_of(saga_id)[:2])
    for key in view.keys_of(saga_id)[4:10]:
        view.client.zrem(key, saga_id)
    view.client.zrem(view.due_key_of(saga_id), saga_id)


def search_index(app):
    view = view_of(log_of(app))
    keys = map(view.search_key, range(view.shards))
    return [each for key in keys for each in view.client.zrange(key, 0, -1)]


def test_a_saga_is_found_by_each_field_and_by_several(app):
    start("p-1", customer="ada", price=Decimal("17.50"), size=Size.LARGE)
    start("p-2", customer="ada", price=Decimal(3))
    start("p-3", customer="bob", price=Decimal("17.50"))
    assert set(found(customer="ada")) == {"p-1", "p-2"}
    assert set(found(price=17.5)) == set(found(price="17.500")) == {"p-1", "p-3"}
    assert found(size=Size.LARGE) == found(size="large") == ["p-1"]
    assert found(customer="ada", price="17.5") == ["p-1"]
    assert found(customer="bob", size="large") == []
    assert set(found(stops=0)) == set(found(stops="0")) == {"p-1", "p-2", "p-3"}


def test_nothing_is_found_by_another_value_field_or_part_of_a_value(app):
    start("p-1", customer="ada")
    for where in ({"customer": "Ada"}, {"customer": "ad"}, {"customer": "ada "}, {"custom": "ada"}):
        assert found(**where) == []
    assert found(price="None") == found(price="") == []


@pytest.mark.parametrize(
    "customer",
    ["", " ", "a=b", "a:t3:b:", ":", "\0\n", "Åse Ægir", "a\\b%", "*", "x" * 128, "æ" * 128],
)
def test_any_text_is_found_and_no_other(app, customer):
    start("p-1", customer=customer)
    start("p-2", customer=f"{customer[:-1]}-")
    assert found(customer=customer) == ["p-1"]


def test_a_text_is_found_however_its_letters_are_composed(app):
    start("p-1", customer="Jose\u0301")
    assert found(customer="Jos\u00e9") == ["p-1"]


def test_sagas_of_every_start_are_found(app):
    start("chain", customer="ada")
    start("inline", inline_parcel_saga, customer="ada")
    parcels = [Parcel(customer="ada"), Parcel(customer="bob"), Parcel()]
    parcel_saga.start_many(parcels, saga_ids=["m-1", "m-2", "m-3"])
    start("plain", plain_parcel_saga, customer="ada")
    assert set(found(customer="ada")) == {"chain", "inline", "m-1"}
    assert found(customer="ada", saga="inline_parcel") == ["inline"]
    assert set(found(customer="ada", saga=parcel_saga)) == {"chain", "m-1"}
    assert found(customer="ada", saga="plain_parcel") == []


def test_an_eager_saga_is_found(app):
    app.conf.task_always_eager = True
    start("p-1", customer="ada")
    assert found(customer="ada") == ["p-1"]
    app.conf.task_always_eager = False


def test_with_the_definition_a_handle_returns_its_output(app):
    start("p-1", customer="ada", size=Size.LARGE)
    run_here(app, "p-1")
    (handle,) = amends.find(saga=parcel_saga, customer="ada")
    assert handle.wait(timeout=0) == ParcelResult(outcome="completed", size=Size.LARGE)
    (handle,) = amends.find(saga="parcel", customer="ada")
    assert handle.wait(timeout=0) == {"outcome": "completed", "size": "large"}


def at_times(app, *ids, **fields):
    """Start sagas, the second a millisecond after the first and so on."""
    log, itinerary = log_of(app), parcel_saga.itinerary
    entries = entries_of(itinerary.search, Parcel(**fields), what="the input")
    view = view_of(log)
    for n, saga_id in enumerate(ids):
        log.starts.start_saga(saga_id, itinerary, "{}", search=entries)
        key, at = view.saga_key(saga_id), 1_700_000_000_000 + n
        was = view.client.hget(key, "created")
        index = view.search_key(view.shard_of(saga_id))
        for entry in filter(None, entries):
            view.client.zrem(index, f"{entry}{was}:{saga_id}")
            view.client.zadd(index, {f"{entry}{at}:{saga_id}": 0})
        view.client.hset(key, "created", at)


def test_the_last_started_come_first_page_by_page(app):
    ids = [f"p-{n:03}" for n in range(150)]
    at_times(app, *ids, customer="ada")
    at_times(app, "other", customer="bob")
    newest = ids[::-1]
    assert found(customer="ada") == newest[:100]
    pages = []
    while page := amends.find(customer="ada", limit=40, after=pages[-1] if pages else None):
        pages += page
    assert [each.id for each in pages] == newest
    assert found(customer="ada", limit=2, after="p-010") == ["p-009", "p-008"]
    assert found(customer="ada", limit=1_000) == newest
    with pytest.raises(UnknownSaga, match="no saga 'gone'"):
        amends.find(customer="ada", after="gone")


def test_the_rarest_of_several_values_is_walked_over(app, monkeypatch):
    at_times(app, *(f"p-{n}" for n in range(100)), customer="ada", size="small")
    at_times(app, "rare", customer="bob", size="small")
    seen = []
    take = IndexWalk.take
    monkeypatch.setattr(IndexWalk, "take", lambda *given: seen.append(take(*given)) or seen[-1])
    assert found(size="small", customer="bob") == ["rare"]
    assert [len(each) for each in seen] == [1, 0]


def test_of_a_very_common_value_a_page_is_read(app, client, monkeypatch):
    at_times(app, *(f"p-{n:04}" for n in range(2_000)), customer="ada")
    read = []
    hear = searching.EntryIndex.hear

    def listen(index, answer, asked):
        read.append(len(answer))
        return hear(index, answer, asked)

    monkeypatch.setattr(searching.EntryIndex, "hear", listen)
    assert found(customer="ada", limit=10) == [f"p-{n:04}" for n in range(1999, 1989, -1)]
    assert sum(read) <= 64 * 4 + 64


def test_a_saga_that_was_removed_is_found_no_more(app, monkeypatch):
    start("p-1", customer="ada")
    run_here(app, "p-1")
    monkeypatch.setitem(app.conf, "amends_retention", 0.0001)
    assert remove_ended(app) == 1
    assert found(customer="ada") == []
    assert search_index(app) == []


def test_what_an_earlier_release_removed_is_passed_over_and_taken_off_the_index_by_find_alone(app):
    at_times(app, "p-1", "p-2", "p-3", customer="ada")
    remove_as_an_earlier_release(app, "p-3")
    assert len(search_index(app)) == 9
    assert found(customer="ada", limit=1) == ["p-2"]
    assert len(search_index(app)) == 8
    remove_as_an_earlier_release(app, "p-2")
    page = find_sagas(app, Query(where=(("customer", "ada"),)))
    assert [each.id for each in page.summaries] == ["p-1"]
    assert len([each for each in search_index(app) if each.startswith("customer:")]) == 2
    assert found(customer="ada") == ["p-1"]
    assert len([each for each in search_index(app) if each.startswith("customer:")]) == 1


def test_an_id_that_is_used_again_is_found_by_its_new_values_alone(app):
    at_times(app, "p-1", customer="ada")
    remove_as_an_earlier_release(app, "p-1")
    start("p-1", customer="bob")
    assert found(customer="ada") == []
    remove_as_an_earlier_release(app, "p-1")
    at_times(app, "p-2", customer="bob")
    start("p-1", customer="bob")
    page = find_sagas(app, Query(where=(("customer", "bob"),), newest_first=True))
    assert found(customer="bob") == [each.id for each in page.summaries] == ["p-1", "p-2"]


@pytest.mark.parametrize("app", ["redis"], indirect=True)
def test_a_log_that_takes_no_writes_is_searched_all_the_same(app, client):
    at_times(app, "p-1", "p-2", customer="ada")
    remove_as_an_earlier_release(app, "p-2")
    with configured(client, "min-replicas-to-write", 1):
        assert found(customer="ada") == ["p-1"]
    assert len([each for each in search_index(app) if each.startswith("customer:")]) == 2


def test_a_list_by_fields_takes_the_other_filters_too(app):
    at_times(app, *(f"p-{n}" for n in range(5)), customer="ada")
    at_times(app, "q-1", customer="bob")
    run_here(app, "p-3")

    def listed(**query):
        where = query.pop("where", (("customer", "ada"),))
        return [each.id for each in find_sagas(app, Query(where=where, **query)).summaries]

    assert listed() == ["p-0", "p-1", "p-2", "p-3", "p-4"]
    assert listed(newest_first=True) == ["p-4", "p-3", "p-2", "p-1", "p-0"]
    assert listed(statuses=frozenset({"completed"})) == ["p-3"]
    assert listed(saga="parcel", outcome="completed") == ["p-3"]
    assert listed(saga="other") == []
    assert listed(id="p-3") == ["p-3"]
    assert listed(id="q-1") == listed(id="gone") == []
    assert listed(id="p-*", step="pack_parcel", newest_first=True) == ["p-4", "p-2", "p-1", "p-0"]
    assert listed(where=(("customer", "ada"), ("size", "large"))) == []
    assert listed(older_than=60.0) == []


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_pages_of_a_list_by_fields_have_each_saga_once(app, newest_first):
    ids = [f"p-{n:02}" for n in range(30)]
    at_times(app, *ids, customer="ada")
    query = Query(where=(("customer", "ada"),), newest_first=newest_first)
    listed, after = [], None
    while True:
        page = find_sagas(app, query, limit=7, after=after)
        listed += [each.id for each in page.summaries]
        if (after := page.after) is None:
            break
    assert listed == (ids[::-1] if newest_first else ids)
    with pytest.raises(ValueError, match="a place in a listing by last move"):
        find_sagas(
            app, query, after=find_sagas(app, Query(newest_first=newest_first), limit=1).after
        )
    after = find_sagas(app, query, limit=1).after
    with pytest.raises(ValueError, match="a place in a listing by start"):
        find_sagas(app, Query(newest_first=newest_first), after=after)


def test_a_wrong_search_is_refused(app):
    with pytest.raises(ValueError, match=r"by which field\?"):
        amends.find()
    with pytest.raises(ValueError, match="limit is 0"):
        amends.find(customer="ada", limit=0)
    with pytest.raises(
        ValueError,
        match=r"'parcel' has no search field 'custmer', did you mean 'customer'\?; it has",
    ):
        amends.find(saga=parcel_saga, custmer="ada")
    with pytest.raises(
        ValueError, match="'plain_parcel' has no search field 'customer'; say search="
    ):
        amends.find(saga=plain_parcel_saga, customer="ada")
    with pytest.raises(TypeError, match="customer is None"):
        amends.find(customer=None)
    with pytest.raises(ValueError, match="customer has 129 characters"):
        amends.find(customer="x" * 129)


def start_both(saga_id, **fields):
    inputs = [Parcel(customer="ada"), Parcel(**fields)]
    parcel_saga.start_many(inputs, saga_ids=["p-1", saga_id])


@pytest.mark.parametrize("begin", [start, start_both])
def test_a_value_that_is_too_long_is_refused_before_anything_is_written(app, client, begin):
    with pytest.raises(ValueError, match=r"the input of p-2: customer has 129 characters, .* 128"):
        begin("p-2", customer="x" * 129)
    assert not client.keys("*p-1*")
    assert not client.keys("*p-2*")
    assert search_index(app) == []


def test_the_same_start_is_the_same_saga_and_is_found_once(app):
    start("p-1", customer="ada")
    start("p-1", customer="ada")
    with pytest.raises(amends.SagaAlreadyStarted):
        start("p-1", customer="bob")
    parcel_saga.start_many([Parcel(customer="ada")] * 2, saga_ids=["p-1", "p-1"])
    assert found(customer="ada") == ["p-1"]
    assert found(customer="bob") == []
    assert len(search_index(app)) == 3


def test_a_thousand_random_sagas_are_each_found(app):
    ids = [uuid.uuid4().hex for _ in range(1_000)]
    parcel_saga.start_many(
        [Parcel(customer=each, stops=n) for n, each in enumerate(ids)], saga_ids=ids
    )
    for n, saga_id in enumerate(ids[::50]):
        assert found(customer=saga_id) == found(stops=n * 50) == [saga_id]
