"""An id stays remembered after its saga was removed: a late start under it starts nothing."""

import uuid

import pytest

from amends.definition.states import SagaStatus
from amends.errors import UnknownSaga
from amends.log.starts import AlreadyThere, Conflict, Started
from tests.support.log_view import keys_like, view_of
from tests.support.sagas.parcel import parcel_saga, plain_parcel_saga

ITINERARY = plain_parcel_saga.itinerary
INPUT = '{"a":1}'
GIVEN = "0123456789abcdef"
DAY = 86400.0


@pytest.fixture
def saga_id():
    return uuid.uuid4().hex


def end(log, saga_id, itinerary=ITINERARY, **how):
    log.starts.start_saga(saga_id, itinerary, INPUT, given=GIVEN, **how)
    log.claim_step(saga_id, "pack_parcel", token="t", owner="o", retries=0)
    log.complete_step(saga_id, "pack_parcel", token="t", output="null", link="")
    assert log.read_status(saga_id) == "completed"


def removed(log, saga_id, **how):
    end(log, saga_id)
    assert log.maintenance.remove_sagas([saga_id], kept_for=0.0, **{"remembers": True, **how}) == 1


def ids_of(log, client, saga_id):
    hash_key, list_key = view_of(log).remembered_keys(view_of(log).shard_of(saga_id))
    return client.hexists(hash_key, saga_id), client.lrange(list_key, 0, -1).count(saga_id)


def test_the_same_start_is_answered_and_starts_nothing(log, client, saga_id):
    removed(log, saga_id)
    again = log.starts.start_saga(saga_id, ITINERARY, INPUT, given=GIVEN)
    assert again == AlreadyThere(SagaStatus.COMPLETED)
    many = log.starts.start_sagas(ITINERARY, [(saga_id, INPUT, GIVEN), (f"{saga_id}-2", INPUT)])
    assert many == [AlreadyThere(SagaStatus.COMPLETED), Started(1)]
    assert not client.exists(view_of(log).saga_key(saga_id))
    assert log.read_status(saga_id) == "completed"
    assert log.read_remembered(saga_id).outcome == "completed"


def test_a_start_asks_redis_once_more_and_one_of_a_saga_that_is_there_does_not(
    log, client, saga_id, request
):
    if "redis" not in request.node.callspec.id or "fake" in request.node.callspec.id:
        pytest.skip("a Redis of its own counts its commands")
    log.starts.start_saga(
        uuid.uuid4().hex, ITINERARY, INPUT, given=GIVEN
    )  # the definition is there

    def calls():
        found = client.info("commandstats")
        return {
            name: found.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("hget", "get")
        }

    reads = []
    for _ in range(2):
        before = calls()
        log.starts.start_saga(saga_id, ITINERARY, INPUT, given=GIVEN)
        reads.append({name: count - before[name] for name, count in calls().items()})
    assert reads == [{"hget": 1, "get": 0}, {"hget": 0, "get": 0}]


def test_another_start_is_refused(log, saga_id):
    removed(log, saga_id)
    start = log.starts.start_saga
    refused = Conflict(ITINERARY.saga)
    assert start(saga_id, ITINERARY, '{"a":2}', given="f" * 16) == refused
    assert start(saga_id, ITINERARY, '{"a":2}') == refused
    assert start(saga_id, parcel_saga.itinerary, INPUT, given=GIVEN) == refused


def test_a_start_by_code_with_other_defaults_is_the_same(log, saga_id):
    removed(log, saga_id)
    by_new_code = log.starts.start_saga(saga_id, ITINERARY, '{"a":1,"b":0}', given=GIVEN)
    assert by_new_code == AlreadyThere(SagaStatus.COMPLETED)


def test_of_a_saga_of_an_earlier_release_any_input_is_the_same(log, client, saga_id):
    end(log, saga_id)
    client.hdel(view_of(log).saga_key(saga_id), "given")
    log.maintenance.remove_sagas([saga_id], kept_for=0.0, remembers=True)
    again = log.starts.start_saga(saga_id, ITINERARY, '{"a":2}', given="f" * 16)
    assert again == AlreadyThere(SagaStatus.COMPLETED)


def test_a_saga_with_search_fields_is_remembered_and_leaves_the_index(log, client, saga_id):
    end(log, saga_id, parcel_saga.itinerary, search=["customer:t3:ada:"])
    log.maintenance.remove_sagas([saga_id], kept_for=0.0, remembers=True)
    index = view_of(log).search_key(view_of(log).shard_of(saga_id))
    assert not any(saga_id in each for each in client.zrange(index, 0, -1))
    how = {"given": GIVEN, "search": ["", ""]}
    again = log.starts.start_saga(saga_id, parcel_saga.itinerary, INPUT, **how)
    assert again == AlreadyThere(SagaStatus.COMPLETED)


def test_a_saga_that_was_undone_is_remembered_as_that(log, client, saga_id):
    log.starts.start_saga(saga_id, ITINERARY, INPUT)
    log.control.cancel_saga(saga_id, error='{"type":"C","message":"m"}', actor={})
    assert log.read_status(saga_id) == "compensated"
    log.maintenance.remove_sagas([saga_id], kept_for=0.0, remembers=True)
    found = log.read_remembered(saga_id)
    assert found is not None
    assert (found.status, found.outcome, found.saga) == ("compensated", "cancelled", ITINERARY.saga)


def test_an_error_says_what_is_remembered(log, saga_id):
    removed(log, saga_id)
    for look in (log.read_saga, log.read_history, log.examine_saga):
        with pytest.raises(UnknownSaga, match=r"ended as completed at \d{4}-.* UTC, and was remov"):
            look(saga_id)


def test_a_wait_ends_for_a_saga_that_ended_and_was_removed_since_the_last_look(log, saga_id):
    removed(log, saga_id)
    look, is_told = log.waits.await_saga(saga_id, "", channel="channel")
    assert (look.status, look.is_enough, is_told) == ("completed", True, False)


def test_a_saga_that_is_remembered_is_no_lost_start(log, saga_id):
    removed(log, saga_id)
    lost = log.lost_writes.read(kept_for=0.0, started=[saga_id, f"{saga_id}-never"])
    assert {each.saga_id for each in lost} & {saga_id, f"{saga_id}-never"} == {f"{saga_id}-never"}


def test_without_it_nothing_is_remembered(log, client, saga_id):
    removed(log, saga_id, remembers=False)
    assert ids_of(log, client, saga_id) == (False, 0)
    assert log.starts.start_saga(saga_id, ITINERARY, INPUT) == Started(1)


def test_an_id_is_forgotten_after_its_time(log, client, saga_id):
    removed(log, saga_id)
    log.maintenance.forget_ids(after=DAY, limit=10)
    assert ids_of(log, client, saga_id) == (True, 1)
    while log.maintenance.forget_ids(after=0.0, limit=10):
        pass
    assert ids_of(log, client, saga_id) == (False, 0)
    assert log.starts.start_saga(saga_id, ITINERARY, INPUT) == Started(1)


def test_so_many_are_forgotten_at_once_the_oldest_first(log, client, saga_id):
    while log.maintenance.forget_ids(after=0.0, limit=1000):
        pass
    view = view_of(log)
    shard = view.shard_of(saga_id)
    alike = (f"{saga_id}-{n}" for n in range(10_000))
    ids = [
        each
        for each, _ in zip((x for x in alike if view.shard_of(x) == shard), range(5), strict=False)
    ]
    for each in ids:
        removed(log, each)
    assert log.maintenance.forget_ids(after=0.0, limit=2) == 2
    assert [ids_of(log, client, each) for each in ids] == [(False, 0)] * 2 + [(True, 1)] * 3


def test_the_keys_of_what_is_remembered_are_those_of_its_shard(log, client, saga_id):
    removed(log, saga_id)
    view = view_of(log)
    keys = {*view.remembered_keys(view.shard_of(saga_id))}
    assert keys <= {*keys_like(client, "amends:*remembered*")}
