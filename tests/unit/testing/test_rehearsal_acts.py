"""What a person does to a saga, rehearsed."""

import pytest

from amends import ActRefused, Refused, SagaStuck
from tests.unit.testing.rehearsed_sagas import Room, journey_saga, oslo


@pytest.fixture
def stuck(rehearsal):
    """Give a saga whose undo of the room failed for good."""
    rehearsal.at(journey_saga, "book_flight").raises(Refused("full"))
    rehearsal.at(journey_saga, "book_room:undo").raises(ValueError("closed"), times=3)
    handle = rehearsal.run(journey_saga, oslo)
    with pytest.raises(SagaStuck):
        handle.wait(timeout=0)
    return handle


def test_a_stuck_saga_is_retried_and_ends(rehearsal, stuck):
    stuck.retry(by="ada")
    assert stuck.status == "compensated"
    assert rehearsal.undone == ["book_room"]


def test_a_stuck_undo_is_skipped(rehearsal, stuck):
    stuck.skip("book_room", by="ada")
    assert stuck.status == "compensated"
    assert rehearsal.undone == []


def test_a_saga_that_waits_is_paused_and_goes_on_when_it_is_resumed(rehearsal):
    rehearsal.at(journey_saga, "book_room").raises(ConnectionError("cut"))
    handle = rehearsal.run(journey_saga, oslo, within=0)
    handle.pause(by="ada")
    rehearsal.advance(600)
    assert handle.status == "running"
    handle.resume(by="ada")
    assert handle.wait(timeout=0).outcome == "completed"


def test_a_step_that_waits_is_done_by_hand(rehearsal):
    rehearsal.at(journey_saga, "book_room").raises(ConnectionError("cut"))
    handle = rehearsal.run(journey_saga, oslo, within=0)
    handle.skip("book_room", output=Room(room="by hand"), by="ada")
    assert handle.wait(timeout=0).room == "by hand"
    with pytest.raises(ActRefused):
        handle.skip("book_room")
