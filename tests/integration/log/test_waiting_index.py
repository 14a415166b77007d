"""Sagas that wait are apart in the index of their status: lists have them in order, and the age of the others leaves them out."""

import pytest

from amends import Parallel
from amends.backend.script_constants import TIMED
from amends.definition.states import SagaStatus
from amends.log.queries.gauges import Readings
from amends.log.queries.index_walk import Cursor, IndexWalk
from tests.support.log_view import view_of
from tests.support.sagas.shapes import approval, shape_of, step

LINE = shape_of("index_line", step("a"), approval(timeout=60.0), step("b"))
ENDLESS = shape_of("index_endless", step("a"), approval(), step("b"), timeout=None)
BRANCHES = shape_of(
    "index_branches", Parallel([approval(timeout=60.0), step("b")], step("d")), step("e")
)
TWO = shape_of(
    "index_two",
    Parallel([approval(), step("b")], [approval("vote"), step("d")]),
    step("e"),
    timeout=None,
)
VOTED = shape_of("index_votes", approval(count=2), step("b"))
RUNNING = SagaStatus.RUNNING


@pytest.fixture
def store(log):
    return view_of(log)


@pytest.fixture
def wait(course):
    """Give a saga that waits for its approval."""

    def wait(saga=LINE):
        waiting = course(saga)
        waiting.do("a")
        assert waiting.remaining() == []
        return waiting

    return wait


@pytest.fixture
def at_work(course):
    """Give a saga that a worker is at."""

    def at_work():
        busy = course(LINE)
        busy.run("a")
        return busy

    return at_work


@pytest.fixture
def readings(store):
    return lambda: Readings.read(store)


def look(course):
    """Look at a saga as a sweep does."""
    course.log.maintenance.look_at_sagas([course.id], longest_wait=300.0, again=10.0)


def came(store, course, *, ago):
    """Let a saga have come to where it stands so long ago."""
    key = store.index_key(store.shard_of(course.id), RUNNING)
    store.client.zincrby(key, -round(ago * 1000), course.id)


def listed(store, *, newest_first=True, ago=0.0):
    cursor = Cursor.first(store, newest_first=newest_first, ago=ago)
    return [each.id for each in IndexWalk.by_status(store, [RUNNING], cursor).take(1000)]


@pytest.mark.parametrize("saga", [LINE, ENDLESS], ids=["with a time", "without"])
def test_a_saga_that_waits_is_counted_and_has_no_age(wait, readings, store, saga):
    before = readings().waiting
    waiting = wait(saga)
    came(store, waiting, ago=10**6)
    assert readings().waiting == before + 1
    assert readings().oldest[RUNNING] < 10**6


def test_once_it_goes_on_its_age_begins(wait, readings, store):
    before = readings().waiting
    waiting = wait()
    came(store, waiting, ago=10**6)
    waiting.signal("approval")
    waiting.run("b")
    came(store, waiting, ago=10**5)
    assert readings().waiting == before
    assert 10**5 <= readings().oldest[RUNNING] < 10**6


def test_one_whose_other_branches_go_on_does_not_count(course, readings):
    before = readings().waiting
    both = course(BRANCHES)
    assert both.remaining() == ["d"]
    both.run("d")
    assert readings().waiting == before
    both.complete("d")
    look(both)
    assert readings().waiting == before + 1


def test_one_of_two_waits_that_ends_lets_it_go_on(course, readings):
    before = readings().waiting
    both = course(TWO)
    assert both.remaining() == []
    look(both)
    assert readings().waiting == before + 1
    both.signal("approval")
    assert readings().waiting == before
    both.do("b")
    look(both)
    assert readings().waiting == before + 1


def test_further_looks_and_signals_do_not_make_its_wait_younger(course, store):
    voted = course(VOTED)
    voted.remaining()
    came(store, voted, ago=1000)
    voted.signal("approval")
    voted.remaining()
    assert voted.id in listed(store, ago=900)


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_list_has_all_in_one_order(wait, at_work, store, newest_first):
    ids = []
    for ago, begin in ((400, wait), (300, at_work), (200, wait), (100, at_work)):
        made = begin()
        came(store, made, ago=ago)
        ids.append(made.id)
    found = [each for each in listed(store, newest_first=newest_first, ago=50) if each in ids]
    assert found == (ids[::-1] if newest_first else ids)


def test_pages_go_over_both(wait, at_work, store):
    ids = [begin().id for begin in (wait, at_work) * 6]
    cursor, found = Cursor.first(store, newest_first=True, ago=0.0), []
    while page := IndexWalk.by_status(store, [RUNNING], cursor).take(3):
        found += [each.id for each in page]
        cursor = cursor.at(page[-1])
    assert len(found) == len(set(found))
    assert set(ids) <= set(found)


def test_many_that_wait_are_no_end_of_the_others(store):
    key, at = store.index_key(0, RUNNING), round(store.client.time()[0]) * 1000 - 10**6
    waiting = {f"waits-{n}": at + n + TIMED for n in range(300)}
    busy = {f"works-{n}": at - n - 1 for n in range(300)}
    store.client.zadd(key, waiting | busy)
    try:
        assert [each for each in listed(store) if each in busy] == [*busy]
        found = listed(store, newest_first=False)
        assert [each for each in found if each in waiting] == [*waiting]
    finally:
        store.client.zrem(key, *waiting, *busy)


def test_one_that_is_cancelled_or_ends_waits_no_more(wait, readings, store):
    before = readings().waiting
    for end in (lambda each: each.cancel(), lambda each: each.signal("approval")):
        waiting = wait()
        end(waiting)
        assert waiting.id not in waiting_ids(store)
    assert readings().waiting == before


def waiting_ids(store):
    keys = [store.index_key(shard, RUNNING) for shard in range(store.shards)]
    return {each for key in keys for each in store.client.zrangebyscore(key, TIMED, "+inf")}


def test_live_sagas_that_wait_are_found_with_the_others(wait, at_work, store):
    ids = {wait().id, at_work().id}
    assert ids <= set(store.read_index([RUNNING], ago=0.0, limit=10_000))
