"""Where a saga is, as lists tell it: what it stands at is what the engine would do next."""

import pytest
import redis

from amends.definition.states import RecordState, SagaStatus
from amends.log.queries.summary import SagaSummaries, SagaSummary
from amends.log.store import Store
from tests.support.clock import Since
from tests.support.log_driver import ERROR, Journey


@pytest.fixture
def place(client, journey):
    """Give `place()`, which tells where the journey's saga is."""
    places = SagaSummaries(Store(client, shards=64))
    return lambda: places.summarize_sagas([journey.id])[0]


def test_a_new_saga_stands_at_its_first_step(journey: Journey, place):
    found: SagaSummary = place()
    assert (found.id, found.saga, found.status) == (journey.id, "trip", SagaStatus.PENDING)
    assert (found.record, found.state, found.attempts) == (
        "check_traveller",
        RecordState.PENDING,
        0,
    )
    assert (found.outcome, found.reason, found.error, found.wait) == (None, None, None, None)
    assert not found.is_backward
    assert not found.paused
    assert 0 <= found.age < 60
    assert found.created == found.since


def test_a_saga_stands_at_what_runs(journey, place):
    journey.do("check_traveller")
    journey.claim("travel")
    assert (place().record, place().step, place().state) == (
        "travel",
        "travel",
        RecordState.RUNNING,
    )


def test_what_waits_tells_for_how_long_and_after_what(journey, place):
    journey.claim("check_traveller")
    since = Since(journey.client)
    journey.retry("check_traveller", wait=30.0)
    found = place()
    assert (found.state, found.attempts) == (RecordState.PENDING, 1)
    assert found.wait in since.left(30)
    assert found.error == "Problem: it did not work"


def test_an_attempt_that_runs_does_not_wait_for_the_one_it_is(journey, place):
    journey.claim("check_traveller")
    journey.retry("check_traveller", wait=0.0)
    journey.claim("check_traveller", "u", retries=1)
    assert (place().state, place().wait) == (RecordState.RUNNING, None)


@pytest.mark.parametrize(
    "paths",
    [
        (),
        ("check_traveller",),
        ("check_traveller", "travel"),
        ("check_traveller", "travel", "postcard"),
    ],
)
def test_what_is_at_hand_is_what_a_dispatch_would_publish_first(journey, place, paths):
    journey.do(*paths)
    assert place().record == journey.remaining()[0]


@pytest.mark.parametrize("unknown", [False, True])
def test_it_is_so_at_a_switch_of_channels(journey, place, unknown):
    journey.do("check_traveller")
    journey.lose("travel", unknown=unknown)
    assert place().record == journey.remaining()[0]
    assert place().record == ("travel:undo" if unknown else "travel:fallback")


def test_on_the_way_back_it_is_the_undo_that_comes_next_with_the_error_that_turned_the_saga(
    journey, place
):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    found = place()
    assert found.is_backward
    assert (found.status, found.outcome) == (SagaStatus.COMPENSATING, "lost")
    assert found.record == journey.remaining()[0] == "travel:undo"
    assert found.error == "Problem: it did not work"


def test_a_saga_that_is_cancelled_stands_at_what_still_runs(journey, place):
    journey.do("check_traveller", "travel")
    journey.claim("postcard")
    journey.log.control.cancel_saga(journey.id, error=ERROR, actor={})
    found = place()
    assert found.is_backward
    assert (found.record, found.state) == ("postcard", RecordState.RUNNING)


def test_a_stuck_saga_stands_at_the_undo_that_failed(journey, place):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel", unknown=True)
    journey.lose("hotel:undo")
    journey.do("travel:undo")
    found = place()
    assert (found.status, found.record, found.state) == (
        SagaStatus.STUCK,
        "hotel:undo",
        RecordState.STUCK,
    )
    assert found.reason == "hotel:undo failed for good"


def test_a_parked_saga_stands_at_what_no_worker_knows(journey, place):
    journey.log.note_unregistered(journey.id, "check_traveller", task="trip.check", most=1)
    found = place()
    assert (found.status, found.record) == (SagaStatus.STUCK, "check_traveller")
    assert found.reason == "no worker knows the task trip.check"


@pytest.mark.parametrize("end", ["completed", "compensated"])
def test_an_ended_saga_stands_nowhere(journey, place, end):
    if end == "completed":
        journey.do("check_traveller", "travel", "postcard", "hotel")
    else:
        journey.log.control.cancel_saga(journey.id, error=ERROR, actor={})
    found = place()
    assert (found.status, found.record, found.step, found.state) == (end, None, None, None)


def test_a_paused_saga_says_so(journey, place):
    journey.log.control.pause_saga(journey.id, actor={})
    assert place().paused


def test_many_are_placed_in_one_round_trip_and_one_that_is_not_there_is_none(client, journey):
    found = SagaSummaries(Store(client, shards=64)).summarize_sagas(["nowhere", journey.id])
    assert found[0] is None
    assert found[1].id == journey.id


def test_none_are_placed_without_a_round_trip():
    nowhere = redis.Redis(port=1)  # where a round trip fails
    assert SagaSummaries(Store(nowhere, shards=64)).summarize_sagas([]) == []


def test_so_many_events_are_in_its_history_as_an_act_takes_for_seen(journey, place):
    journey.do("check_traveller")
    assert place().events == len(journey.events()) == 3
