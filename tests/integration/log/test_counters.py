"""What the transitions count, in the same script that makes them."""

from collections import Counter

import pytest

from tests.support.claims import age_claim
from tests.support.log_driver import ERROR


class Counting:
    """What was counted since a moment."""

    def __init__(self, log):
        self._log = log
        self._before = Counter(log.read_counters())

    def __getitem__(self, words):
        return self._log.read_counters().get(words, 0) - self._before[words]

    def matching(self, *words):
        """Tell what was counted under names that begin so, by what follows."""
        counted = {name: self[name] for name in self._log.read_counters()}
        size = len(words)
        return {name[size:]: n for name, n in counted.items() if n and name[:size] == words}


@pytest.fixture
def counting(log):
    return Counting(log)


@pytest.fixture
def journey(counting, journey):
    """Give a saga that is started after the counting began."""
    return journey


def test_every_event_of_a_history_is_counted_once(journey, counting):
    journey.do("check_traveller")
    journey.claim("travel")
    journey.retry("travel")
    journey.claim("travel", retries=1)
    journey.complete("travel")
    journey.complete("travel", "another token")
    journey.do("postcard")
    journey.lose("hotel", unknown=True)
    written = Counter(
        (e.name, "trip", e.record or "") for e in journey.log.read_history(journey.id)
    )
    assert counting.matching("event") == written


def test_a_saga_is_counted_where_it_is_now_and_nowhere_else(journey, counting):
    now = lambda: counting.matching("sagas", "trip")  # noqa: E731
    assert now() == {("pending",): 1}
    journey.do("check_traveller", "travel", "postcard")
    assert now() == {("running",): 1}
    journey.lose("hotel", unknown=True)
    assert now() == {("compensating",): 1}
    journey.lose("hotel:undo")
    journey.do("travel:undo")
    assert now() == {("stuck",): 1}
    journey.log.control.retry_saga(journey.id, actor={})
    assert now() == {("compensating",): 1}
    journey.claim("hotel:undo", retries=1)
    journey.complete("hotel:undo")
    assert now() == {("compensated",): 1}
    assert counting.matching("ended", "trip") == {("compensated", "lost"): 1}
    journey.client.hset(journey.saga_key, "ended", 0)
    assert journey.log.maintenance.remove_sagas([journey.id, journey.id], kept_for=1.0) == 2
    assert now() == {}
    assert counting.matching("ended", "trip") == {("compensated", "lost"): 1}


def test_a_saga_that_cannot_be_cancelled_any_more_is_counted_once(journey, counting):
    journey.lose("check_traveller")
    for _ in range(2):
        journey.log.control.cancel_saga(journey.id, error=ERROR, actor={})
    assert counting.matching("sagas", "trip") == {("compensated",): 1}
    assert counting.matching("ended", "trip") == {("compensated", "lost"): 1}


def test_the_time_of_a_saga_and_of_its_attempts_is_counted_by_bounds(journey, counting):
    saga = journey.saga_key
    journey.do("check_traveller", "travel", "postcard")
    assert journey.claim("hotel")
    journey.client.hincrby(saga, "created", -61_000)
    age_claim(journey.client, saga, 7_000)
    journey.complete("hotel")
    assert counting["took", "trip", "300"] == 1
    assert counting["took", "trip", "60"] == counting["took", "trip", "inf"] == 0
    assert 61_000 <= counting["took", "trip", "sum"] < 71_000
    assert counting["ran", "trip", "hotel", "10"] == 1
    assert 7_000 <= counting["ran", "trip", "hotel", "sum"] < 17_000
    assert counting["ran", "trip", "travel", "sum"] < 5_000


def test_a_time_over_the_last_bound_is_counted_too(journey, counting):
    journey.claim("check_traveller")
    age_claim(journey.client, journey.saga_key, 3_600_000)
    journey.complete("check_traveller")
    assert counting["ran", "trip", "check_traveller", "inf"] == 1


def test_only_an_attempt_that_was_spent_is_timed(journey, counting):
    journey.claim("check_traveller")
    journey.retry("check_traveller", cost="nothing", unknown=False)
    journey.claim("check_traveller", retries=1)
    journey.retry("check_traveller", cost="death")
    assert counting.matching("ran", "trip") == {}


def test_a_claim_repeated_under_its_token_counts_nothing_again(journey, counting):
    journey.claim("check_traveller")
    before = counting.matching("event")
    journey.claim("check_traveller")
    assert counting.matching("event") == before


def test_a_time_is_not_counted_down_where_the_clock_went_back(journey, counting):
    journey.do("check_traveller", "travel", "postcard")
    assert journey.claim("hotel")
    journey.client.hincrby(journey.saga_key, "created", 61_000)
    age_claim(journey.client, journey.saga_key, -7_000)
    journey.complete("hotel")
    assert counting["took", "trip", "sum"] == counting["ran", "trip", "hotel", "sum"] == 0
    assert counting["took", "trip", "0.1"] == counting["ran", "trip", "hotel", "0.01"] == 1
