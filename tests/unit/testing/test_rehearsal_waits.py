"""A rehearsed saga is waited for as any other, but that nothing has to be told: it has moved when `run` returns."""

import threading

import pytest

from amends import NotDone
from tests.unit.testing.rehearsed_sagas import TripResult, journey_saga, oslo


def test_a_step_that_is_done_is_returned_while_the_saga_waits(rehearsal):
    names = [step.name for step in journey_saga.itinerary.steps]
    rehearsal.at(journey_saga, names[1]).raises(NotDone("closed"), times=1)
    handle = rehearsal.run(journey_saga, oslo, within=0)
    early = handle.wait(until=names[0])
    assert type(early) is TripResult
    assert early.outcome is None
    with pytest.raises(TimeoutError):
        handle.wait(0.05, until=names[1])
    rehearsal.advance(3600.0)
    assert handle.wait(until=names[1]).outcome == handle.wait().outcome == "completed"


def test_a_wait_in_a_rehearsal_starts_no_thread(rehearsal):
    rehearsal.at(journey_saga, "book_room").raises(NotDone("closed"), times=1)
    handle = rehearsal.run(journey_saga, oslo, within=0)
    before = threading.active_count()
    with pytest.raises(TimeoutError):
        handle.wait(0.1)
    assert threading.active_count() == before


def test_a_step_that_a_rehearsed_saga_does_not_have_is_refused(rehearsal):
    handle = rehearsal.run(journey_saga, oslo)
    with pytest.raises(ValueError, match="did you mean 'book_room'"):
        handle.wait(until="book_rom")
