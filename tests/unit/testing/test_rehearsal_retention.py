"""Retention in a rehearsal: what ended is removed, and its id is remembered."""

import pytest

from amends import SagaAlreadyStarted, UnknownSaga
from tests.unit.testing.rehearsed_sagas import Trip, effects, journey_saga, oslo

WEEK = 7 * 86400.0


def test_a_late_second_start_takes_no_effect(rehearsal):
    handle = rehearsal.run(journey_saga, oslo, saga_id="trip-1")
    assert rehearsal.remove_ended() == 0
    rehearsal.advance(WEEK + 1.0)
    assert rehearsal.remove_ended() == 1
    made = list(effects)
    again = rehearsal.run(journey_saga, oslo, saga_id="trip-1")
    assert (again.status, again.outcome, effects) == ("completed", "completed", made)
    with pytest.raises(UnknownSaga, match="ended as completed"):
        handle.snapshot()
    other = Trip.model_validate({**oslo.model_dump(), "city": "Rome"})
    with pytest.raises(SagaAlreadyStarted):
        rehearsal.run(journey_saga, other, saga_id="trip-1")


def test_an_id_is_forgotten_after_its_time(rehearsal):
    rehearsal.run(journey_saga, oslo, saga_id="trip-1")
    rehearsal.advance(WEEK + 1.0)
    rehearsal.remove_ended()
    rehearsal.advance(366 * 86400.0)
    rehearsal.remove_ended()
    made = len(effects)
    rehearsal.run(journey_saga, oslo, saga_id="trip-1")
    assert len(effects) == 2 * made
