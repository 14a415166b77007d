"""A saga for tests of the log: a trip that is checked, booked by plane or else by train, told of, and slept through."""

from pydantic import BaseModel

from amends import Saga, Step, activity


class Trip(BaseModel):
    trip_id: str
    nights: int = 1


class Ticket(BaseModel):
    ticket: str


class Room(BaseModel):
    room: str


class TripResult(BaseModel):
    trip_id: str
    outcome: str
    ticket: str | None
    room: str | None
    error: str | None


@activity
def check_traveller(trip: Trip) -> None:
    """Do nothing: tests of the log drive its scripts themselves."""


@activity
def book_flight(trip: Trip) -> Ticket:
    return Ticket(ticket=trip.trip_id)


@activity
def book_train(trip: Trip) -> Ticket:
    return Ticket(ticket=trip.trip_id)


@activity
def cancel_travel(trip: Trip, ticket: Ticket | None) -> None:
    """Do nothing."""


@activity
def book_hotel(trip: Trip) -> Room:
    return Room(room=trip.trip_id)


@activity
def cancel_hotel(trip: Trip, room: Room | None) -> None:
    """Do nothing."""


class Postcard(BaseModel):
    trip_id: str
    ticket: str


@activity
def send_postcard(postcard: Postcard) -> None:
    """Do nothing."""


trip_saga = Saga(
    "trip",
    input=Trip,
    output=TripResult,
    timeout=600.0,
    steps=[
        Step(check_traveller, compensation=None, outcome="refused_entry"),
        Step(
            book_flight,
            fallback=book_train,
            compensation=cancel_travel,
            name="travel",
            outcome="no_travel",
        ),
        Step(send_postcard, compensation=None, name="postcard", on_failure="continue"),
        Step(book_hotel, compensation=cancel_hotel, name="hotel", outcome="no_hotel"),
    ],
)
