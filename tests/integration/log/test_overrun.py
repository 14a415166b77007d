"""An attempt that was not stopped at its limit says so in the history, and each call is counted."""

import pytest

from amends.log.queries.summary import SagaSummaries
from amends.log.store import Store
from tests.support.claims import age_claim

LIMIT = 60_000  # of an activity that gives none, in ms


def last_event(journey):
    return journey.log.read_history(journey.id)[-1]


@pytest.mark.parametrize("late", [True, False])
def test_a_step_that_took_longer_than_its_limit_says_so(journey, late):
    journey.claim("check_traveller")
    age_claim(journey.client, journey.saga_key, LIMIT + 5_000 if late else LIMIT - 20_000)
    journey.complete("check_traveller")
    event = last_event(journey)
    assert event.name == "step.completed"
    assert event.details.get("limit") == (LIMIT if late else None)
    assert (event.details.get("took", 0) >= LIMIT + 5_000) is late


def test_one_that_ended_at_its_limit_says_so_though_its_claim_came_a_little_later(journey):
    journey.claim("check_traveller")
    age_claim(journey.client, journey.saga_key, LIMIT - 90)
    journey.complete("check_traveller")
    assert last_event(journey).details["limit"] == LIMIT


def test_so_does_a_compensation(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    journey.claim("travel:undo")
    age_claim(journey.client, journey.saga_key, LIMIT + 5_000)
    journey.complete("travel:undo")
    (event,) = [e for e in journey.log.read_history(journey.id) if e.name == "step.compensated"]
    assert event.details["took"] > event.details["limit"] == LIMIT


def test_calls_whose_process_or_worker_died_are_attempts_though_none_is_spent(journey):
    for tries, cost in enumerate(["death", "worker_death", "nothing", "death"]):
        journey.claim("check_traveller", f"t{tries}", retries=tries)
        journey.retry("check_traveller", f"t{tries}", cost=cost)
    record = journey.log.read_saga(journey.id).records["check_traveller"]
    assert (record.attempts, record.used.attempts) == (3, 0)
    (summary,) = SagaSummaries(Store(journey.client, shards=64)).summarize_sagas([journey.id])
    assert summary.attempts == 3
