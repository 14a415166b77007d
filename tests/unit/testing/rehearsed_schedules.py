"""Sagas that are started by schedules, each an hour after noon, and what became of them."""

from datetime import UTC, datetime

from pydantic import BaseModel

from amends import Saga, Step, Wait
from tests.unit.testing.rehearsed_sagas import Trip, book_room, cancel_room

HOUR, DAY = 3600.0, 86400.0
NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


class Consent(BaseModel):
    granted: bool = True


def room_saga(name, *stages):
    steps = [*stages, Step(book_room, compensation=cancel_room, outcome="no_room")]
    return Saga(name, input=Trip, output=Trip, steps=steps)


tour_saga = room_saga("tour")
asked_tour_saga = room_saga("asked_tour", Wait("consent", Consent))
paid_saga = Saga(
    "paid_tour",
    input=Trip,
    output=Trip,
    steps=[
        Step(book_room, compensation=None, pivot=True),
        Step(book_room, name="greet", compensation=None),
    ],
)


def trip_of(tick):
    return Trip(city=f"{tick:%d %H:%M}")


def hours(rehearsal):
    """Return the hours after noon at which rooms were booked."""
    return [(call.at - NOON.timestamp()) / HOUR for call in rehearsal.calls]


def cities(rehearsal):
    return [call.request.city for call in rehearsal.calls]
