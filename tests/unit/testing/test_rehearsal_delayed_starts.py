"""Rehearsing sagas that begin later: they stand until the clock is moved."""

from datetime import UTC, datetime, timedelta

from amends import NotDone
from tests.unit.testing.rehearsed_sagas import journey_saga, oslo, visa_saga

HOUR = 3600.0


def test_it_stands_until_time_has_passed(rehearsal):
    began = rehearsal.clock.now
    handle = journey_saga.start(oslo, after=HOUR)
    assert handle.status == "pending"
    assert handle.snapshot().begins_at == began + HOUR
    rehearsal.advance(HOUR - 0.001)
    assert (handle.status, rehearsal.calls) == ("pending", [])
    rehearsal.advance(0.001)
    assert handle.status == "completed"
    assert rehearsal.calls[0].at == began + HOUR


def test_so_does_one_with_a_time_and_many(rehearsal):
    at = datetime.fromtimestamp(rehearsal.clock.now, UTC) + timedelta(hours=2)
    first = journey_saga.start(oslo, at=at)
    many = journey_saga.start_many([oslo, oslo], after=HOUR)
    rehearsal.advance(HOUR)
    assert [each.status for each in (first, *many)] == ["pending", "completed", "completed"]
    rehearsal.advance(HOUR)
    assert first.status == "completed"


def test_another_saga_does_not_wait_for_it_but_takes_it_along(rehearsal):
    began = rehearsal.clock.now
    later = journey_saga.start(oslo, after=HOUR)
    assert visa_saga.start(oslo).status == "completed"
    assert rehearsal.clock.now == began
    rehearsal.at(visa_saga, "await_visa").raises(NotDone(retry_after=2 * HOUR))
    rehearsal.run(visa_saga, oslo)
    assert later.status == "completed"
    assert rehearsal.calls_of(later)[0].at == began + HOUR


def test_its_deadline_counts_from_when_it_begins(rehearsal):
    timeout = journey_saga.itinerary.timeout
    assert timeout < HOUR
    rehearsal.at(journey_saga, "book_flight").raises(NotDone(retry_after=900.0))
    handle = journey_saga.start(oslo, after=HOUR)
    rehearsal.advance(HOUR)
    assert handle.status == "running"
    rehearsal.clock.advance(timeout)
    rehearsal.advance(0)
    assert handle.outcome == "timed_out"


def test_cancelled_before_it_has_done_nothing(rehearsal):
    handle = journey_saga.start(oslo, after=HOUR)
    handle.cancel()
    assert handle.outcome == "cancelled"
    rehearsal.advance(2 * HOUR)
    assert rehearsal.calls == []


def test_a_pause_holds_it_beyond_its_time(rehearsal):
    handle = visa_saga.start(oslo, after=HOUR)
    handle.pause()
    rehearsal.advance(2 * HOUR)
    assert handle.status == "pending"
    handle.resume()
    assert handle.status == "completed"


def test_its_deadline_comes_in_a_pause_too(rehearsal):
    handle = journey_saga.start(oslo, after=HOUR)
    handle.pause()
    rehearsal.advance(2 * HOUR)
    assert (handle.outcome, rehearsal.calls) == ("timed_out", [])


def test_a_resume_before_its_time_leaves_it_to_that(rehearsal):
    handle = visa_saga.start(oslo, after=HOUR)
    handle.pause()
    handle.resume()
    assert handle.status == "pending"
    rehearsal.advance(HOUR)
    assert handle.status == "completed"


def test_an_action_that_starts_one_does_not_wait_for_it(rehearsal):
    handles = []
    rehearsal.at(visa_saga, "await_visa").before(
        lambda _: handles.append(journey_saga.start(oslo, after=HOUR))
    )
    assert rehearsal.run(visa_saga, oslo).status == "completed"
    assert handles[0].status == "pending"
    rehearsal.advance(HOUR)
    assert handles[0].status == "completed"


def test_the_same_id_is_the_same_saga_at_its_first_time(rehearsal):
    handle = journey_saga.start(oslo, saga_id="tour-1", after=HOUR)
    journey_saga.start(oslo, saga_id="tour-1", after=2 * HOUR)
    journey_saga.start(oslo, saga_id="tour-1")
    assert handle.status == "pending"
    rehearsal.advance(HOUR)
    assert handle.status == "completed"
