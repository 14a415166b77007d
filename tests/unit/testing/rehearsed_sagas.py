"""A saga for the tests of the kit, over receivers that keep what was done by its idempotency key."""

import time

from pydantic import BaseModel

from amends import Refused, RetryPolicy, Saga, Step, activity, context

MINUTELY = RetryPolicy(
    max_attempts=3, initial_interval=60.0, max_interval=3600.0, backoff_coefficient=2.0, jitter=0.0
)


class Trip(BaseModel):
    city: str


class Room(BaseModel):
    room: str


class Ticket(BaseModel):
    ticket: str


class TripResult(BaseModel):
    outcome: str
    room: str | None
    ticket: str | None
    error: str | None


class SoldOut(Refused):
    pass


effects: list[str] = []
time_left: list[float] = []


def make() -> None:
    effects.append(context().idempotency_key.partition(":")[2])
    time_left.append(context().deadline - time.time())


def undo() -> None:
    path = context().undoes.idempotency_key.partition(":")[2]
    while path in effects:
        effects.remove(path)


@activity(retry=MINUTELY, start_to_close_timeout=30.0)
def book_room(trip: Trip) -> Room:
    make()
    return Room(room="12b")


@activity(retry=MINUTELY)
def cancel_room(trip: Trip, room: Room | None) -> None:
    undo()


@activity(retry=MINUTELY, start_to_close_timeout=40.0)
def book_flight(trip: Trip) -> Ticket:
    if trip.city == "Atlantis":
        raise Refused("nobody flies there")
    make()
    return Ticket(ticket="AM42")


@activity(retry=MINUTELY)
def book_train(trip: Trip) -> Ticket:
    make()
    return Ticket(ticket="ICE")


@activity(retry=MINUTELY)
def cancel_ticket(trip: Trip, ticket: Ticket | None) -> None:
    undo()


@activity(retry=MINUTELY)
def tell(trip: Trip) -> None:
    make()


journey_saga = Saga(
    "journey",
    input=Trip,
    output=TripResult,
    timeout=1000.0,
    steps=[
        Step(book_room, compensation=cancel_room, outcome="no_room"),
        Step(
            book_flight,
            fallback=book_train,
            compensation=cancel_ticket,
            outcome={SoldOut: "sold_out", Exception: "no_ticket"},
        ),
        Step(tell, compensation=None, outcome="untold"),
    ],
)


@activity(retry=RetryPolicy(max_attempts=None, initial_interval=5.0, max_interval=5.0, jitter=0.0))
def await_visa(trip: Trip) -> None:
    make()


visa_saga = Saga(
    "visa", input=Trip, output=Trip, steps=[Step(await_visa, compensation=None, outcome="no_visa")]
)
room_saga = Saga(
    "room", input=Trip, output=Trip, steps=[Step(book_room, compensation=None, outcome="no_room")]
)

oslo = Trip(city="Oslo")
