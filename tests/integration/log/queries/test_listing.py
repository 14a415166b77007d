"""Finding sagas over all shards, page by page."""

import secrets
import threading
from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from amends.backend.client import client_of
from amends.definition.states import SagaStatus
from amends.errors import UnknownSaga
from amends.log.queries import index_walk as indexes
from amends.log.queries.listing import find_sagas, summary_of
from amends.log.queries.query import Query
from amends.log.queries.summary import SagaSummaries
from amends.log.saga_log import SagaLog, log_of
from amends.testing.clock import Clock, keep_time
from tests.support.eventually import eventually
from tests.support.log_driver import ERROR
from tests.support.log_view import view_of
from tests.support.sagas.trip import trip_saga

PENDING = frozenset({SagaStatus.PENDING})


@pytest.fixture(params=["memory", "redis"])
def app(request: pytest.FixtureRequest) -> Iterator[Celery]:
    """Give an app with an empty log."""
    app = Celery("trips", broker="memory://", set_as_current=False)
    app.conf.amends_shards = 8
    if request.param == "memory":
        app.conf.amends_backend = f"memory://{secrets.token_hex(8)}"
        yield app
        return
    app.conf.amends_backend = f"{request.getfixturevalue('redis_url')}/7"
    client_of(app.conf.amends_backend).flushdb()
    yield app
    client_of(app.conf.amends_backend).flushdb()


@pytest.fixture
def log(app: Celery) -> SagaLog:
    return log_of(app)


@pytest.fixture
def client(app: Celery) -> redis.Redis:
    return client_of(app.conf.amends_backend)


def start(log: SagaLog, count: int, *, prefix: str = "s") -> list[str]:
    ids = [f"{prefix}-{n}" for n in range(count)]
    log.starts.start_sagas(trip_saga.itinerary, [(each, "{}") for each in ids])
    return ids


def milliseconds(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return seconds * 1000 + micros // 1000


def cancel(log: SagaLog, *ids: str) -> None:
    for each in ids:
        log.control.cancel_saga(each, error=ERROR, actor={})


def claim(log: SagaLog, saga_id: str, path: str = "check_traveller") -> None:
    log.claim_step(saga_id, path, token="t", owner="o", retries=0)


def ids_of(app: Celery, query: Query, **how) -> list[str]:
    return [place.id for place in find_sagas(app, query, **how).summaries]


def pages(app: Celery, query: Query, limit: int, **how: int) -> Iterator[list[str]]:
    after = None
    while True:
        page = find_sagas(app, query, limit=limit, after=after, **how)
        yield [place.id for place in page.summaries]
        after = page.after
        if after is None:
            return


def test_an_empty_log_has_no_sagas(app):
    page = find_sagas(app, Query())
    assert (list(page.summaries), page.after, page.is_cut) == ([], None, False)


@pytest.mark.parametrize("newest_first", [False, True])
def test_sagas_come_in_the_order_in_which_they_came_to_their_status(app, log, client, newest_first):
    start(log, 40)
    began = milliseconds(client)
    eventually(lambda: milliseconds(client) > began)  # those of one are in the order of their ids
    cancel(log, "s-3", "s-30")
    places = find_sagas(app, Query(newest_first=newest_first)).summaries
    keys = [(place.since, place.id.encode()) for place in places]
    assert len(keys) == 40
    assert keys == sorted(keys, reverse=newest_first)
    assert {"s-3", "s-30"} == {places[k].id for k in ((0, 1) if newest_first else (-2, -1))}


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [2, 7, 100])
def test_pages_have_each_saga_once(app, log, newest_first, limit):
    ids = start(log, 20)
    cancel(log, *ids[::3])
    listed = [each for page in pages(app, Query(newest_first=newest_first), limit) for each in page]
    assert sorted(listed) == sorted(ids)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [3, 50])
def test_pages_have_each_saga_once_where_all_moved_in_one_millisecond(newest_first, limit):
    app = Celery("trips", broker="memory://", set_as_current=False)
    app.conf.amends_backend = f"memory://{secrets.token_hex(8)}"
    app.conf.amends_shards = 2
    keep_time(client_of(app.conf.amends_backend), Clock())
    ids = start(log_of(app), 60)
    listed = [each for page in pages(app, Query(newest_first=newest_first), limit) for each in page]
    assert listed == sorted(ids, reverse=newest_first)


def test_more_sagas_of_one_millisecond_than_are_read_at_once_are_all_listed(monkeypatch):
    monkeypatch.setattr(indexes, "_LARGEST_CHUNK", 4)
    app = Celery("trips", broker="memory://", set_as_current=False)
    app.conf.amends_backend = f"memory://{secrets.token_hex(8)}"
    app.conf.amends_shards = 1
    keep_time(client_of(app.conf.amends_backend), Clock())
    ids = start(log_of(app), 20)
    assert [each for page in pages(app, Query(), 7) for each in page] == sorted(ids)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_saga_that_moves_between_two_pages_is_not_listed_twice_and_hides_no_other(
    app, log, newest_first
):
    ids = start(log, 40)
    listed = []
    for number, page in enumerate(pages(app, Query(newest_first=newest_first), 10)):
        listed += page
        if number == 0:
            moved = [page[0], ids[0], ids[20], ids[-1]]
            for each in moved:
                claim(log, each)
            start(log, 5, prefix="late")
    assert len(set(listed)) == len(listed)
    assert set(ids) - set(moved) <= set(listed) <= set(ids)


def test_the_last_page_says_that_nothing_is_left(app, log):
    start(log, 10)
    assert find_sagas(app, Query(), limit=10).after is None
    assert find_sagas(app, Query(), limit=9).after is not None


def test_a_place_in_another_listing_is_refused(app, log):
    start(log, 10)
    after = find_sagas(app, Query(), limit=3).after
    with pytest.raises(ValueError, match="with the oldest first, and this one is not"):
        find_sagas(app, Query(newest_first=True), after=after)


@pytest.mark.parametrize("text", ["", "x", "bnVsbA", "W10", "é", "WzEsMiwzXQ"])
def test_what_is_no_place_in_a_listing_is_refused(app, text):
    with pytest.raises(ValueError, match="is no place in a listing"):
        find_sagas(app, Query(), after=text)


def test_sagas_are_found_by_status(app, log):
    start(log, 6)
    cancel(log, "s-1")
    claim(log, "s-2")
    assert ids_of(app, Query(statuses=frozenset({SagaStatus.COMPENSATED}))) == ["s-1"]
    assert ids_of(app, Query(statuses=frozenset({SagaStatus.RUNNING}))) == ["s-2"]
    both = frozenset({SagaStatus.RUNNING, SagaStatus.COMPENSATED})
    assert ids_of(app, Query(statuses=both)) == ["s-1", "s-2"]


def test_sagas_are_found_by_what_their_records_say(app, log):
    start(log, 6)
    cancel(log, "s-1")
    claim(log, "s-2")
    log.complete_step("s-2", "check_traveller", token="t", output="null", link="")
    log.control.pause_saga("s-4", actor={})
    assert ids_of(app, Query(outcome="cancelled")) == ["s-1"]
    assert ids_of(app, Query(step="travel")) == ["s-2"]
    assert ids_of(app, Query(paused=True)) == ["s-4"]
    assert len(ids_of(app, Query(paused=False))) == 5
    assert ids_of(app, Query(saga="journey")) == []
    assert len(ids_of(app, Query(saga="trip"))) == 6


def test_a_step_is_found_by_its_name_and_by_the_path_of_its_record(app, log):
    start(log, 1)
    claim(log, "s-0")
    log.complete_step("s-0", "check_traveller", token="t", output="null", link="")
    claim(log, "s-0", "travel")
    log.fail_step(
        "s-0", "travel", token="t", error=ERROR, unknown=False, refused=False, outcome="o", link=""
    )
    assert ids_of(app, Query(step="travel")) == ["s-0"]
    assert ids_of(app, Query(step="travel:fallback")) == ["s-0"]
    assert ids_of(app, Query(step="travel:undo")) == []


def test_sagas_are_found_by_their_ids_and_by_how_they_begin(app, log):
    start(log, 12)
    assert ids_of(app, Query(id="s-1")) == ["s-1"]
    assert sorted(ids_of(app, Query(id="s-1*"))) == ["s-1", "s-10", "s-11"]
    assert ids_of(app, Query(id="nowhere")) == []
    assert ids_of(app, Query(id="s-1", statuses=frozenset({SagaStatus.STUCK}))) == []


def test_sagas_are_found_by_how_long_they_are_in_their_status(app, log, client):
    start(log, 3)
    for n in (0, 1):  # an hour passes for these
        index = view_of(log).keys_of(f"s-{n}")[4]
        client.zincrby(index, -3_600_000, f"s-{n}")
    assert sorted(ids_of(app, Query(older_than=600.0))) == ["s-0", "s-1"]
    assert ids_of(app, Query(older_than=600.0, id="s-0")) == ["s-0"]
    assert ids_of(app, Query(older_than=600.0, id="s-2")) == []


def test_a_page_looks_at_so_many_and_says_where_it_stopped(app, log):
    start(log, 25)
    cancel(log, "s-24")
    query = Query(outcome="cancelled")
    first = find_sagas(app, query, most_looked_at=10)
    assert (list(first.summaries), first.looked_at, first.is_cut) == ([], 10, True)
    assert [each for page in pages(app, query, 5, most_looked_at=10) for each in page] == ["s-24"]


def test_a_saga_that_moves_while_the_page_is_read_is_left_out(app, log, monkeypatch):
    start(log, 3)
    summarize_sagas = SagaSummaries.summarize_sagas

    def late(self, saga_ids):
        claim(log, "s-1")
        return summarize_sagas(self, saga_ids)

    monkeypatch.setattr(SagaSummaries, "summarize_sagas", late)
    assert sorted(ids_of(app, Query())) == ["s-0", "s-2"]


def test_a_page_that_looked_at_the_last_saga_is_not_cut(app, log):
    start(log, 10)
    page = find_sagas(app, Query(outcome="nowhere"), most_looked_at=10)
    assert (page.after, page.is_cut) == (None, False)


def test_a_member_of_an_index_without_a_saga_is_passed_over(app, log, client):
    start(log, 3)
    client.delete(view_of(log).keys_of("s-1")[0])
    assert sorted(ids_of(app, Query())) == ["s-0", "s-2"]


def test_one_saga_is_placed_by_its_id(app, log):
    start(log, 1)
    assert summary_of(app, "s-0").status is SagaStatus.PENDING
    with pytest.raises(UnknownSaga):
        summary_of(app, "nowhere")


@pytest.mark.parametrize("query", [Query(), Query(statuses=PENDING), Query(newest_first=True)])
def test_round_trips_and_commands_do_not_grow_with_the_ended_sagas(app, log, query, monkeypatch):
    start(log, 20, prefix="live")
    counts = []
    for ended in (150, 300):
        cancel(log, *start(log, ended, prefix=f"ended-{ended}"))
        with monkeypatch.context() as patch:
            trips = counted_trips(patch)
            find_sagas(app, query, limit=20)
        counts.append(trips)
    (few_trips, few_commands), (many_trips, many_commands) = (
        (len(trips), sum(trips)) for trips in counts
    )
    assert few_trips
    assert many_trips <= few_trips
    assert (
        many_commands <= few_commands + 64
    )  # shards that are empty in the one are not in the other


def counted_trips(patch: pytest.MonkeyPatch) -> list[int]:
    """Record how many commands each round trip of this thread has: others may watch the Sentinels of tests before."""
    trips: list[int] = []
    execute, execute_command = redis.client.Pipeline.execute, redis.Redis.execute_command
    here = threading.get_ident()

    def count(commands):
        if threading.get_ident() == here:
            trips.append(commands)

    def counting_pipeline(self, *args, **kwargs):
        count(len(self.command_stack))
        return execute(self, *args, **kwargs)

    def counting(self, *args, **kwargs):
        count(1)
        return execute_command(self, *args, **kwargs)

    patch.setattr(redis.client.Pipeline, "execute", counting_pipeline)
    patch.setattr(redis.Redis, "execute_command", counting)
    return trips
