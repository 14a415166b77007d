"""The two apps of the neighbourhood, for ``celery -A``: NEIGHBOUR names the one, BROKER, LOG and CALLS what it is given.

The shop has four queues, and a saga for each; the library has one, and a broker of its own. Every call of an activity
is a line of the file CALLS.
"""

import os
import time
from typing import Final

from celery import Celery
from pydantic import BaseModel

from amends import CircuitBreaker, Saga, Step, activity, context

QUEUES: Final = {
    "shop": ("north", "east", "south", "west"),
    "library": ("library",),
}
TAKES: Final = 0.1  # seconds that a call takes


class Wish(BaseModel):
    """What somebody asks for."""

    saga_id: str


class Granted(BaseModel):
    """What came of it."""

    outcome: str


breakers = {
    name: CircuitBreaker(f"neighbourhood.{name}", failure_on=(Exception,)) for name in QUEUES
}


def saga_of(neighbour: str, queue: str) -> Saga[Wish, Granted]:
    """Make the saga of a queue: two calls behind a breaker, of which the first can be taken back."""

    def call(wish: Wish) -> None:
        line = f"{wish.saga_id} {context().step}\n"
        calls = os.open(os.environ["CALLS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(calls, line.encode())  # whole, whoever else writes
        os.close(calls)
        time.sleep(TAKES)

    def reserve(wish: Wish) -> None:
        call(wish)

    def release(wish: Wish, nothing: None) -> None:
        call(wish)

    def ship(wish: Wish) -> None:
        call(wish)

    breaker = breakers[neighbour]
    first, last = (
        activity(name=f"{queue}.{function.__name__}", queue=queue, breaker=breaker)(function)
        for function in (reserve, ship)
    )
    undo = activity(name=f"{queue}.release", queue=queue)(release)
    steps = [Step(first, compensation=undo), Step(last, compensation=None)]
    return Saga(queue, input=Wish, output=Granted, steps=steps)


def sagas_of(neighbour: str) -> dict[str, Saga[Wish, Granted]]:
    """Make the sagas of an app, by queue."""
    return {queue: saga_of(neighbour, queue) for queue in QUEUES[neighbour]}


def make_app(neighbour: str, *, broker: str, log: str) -> Celery:
    """Make an app; it is not made current."""
    app = Celery(neighbour, broker=broker, set_as_current=False)
    app.conf.update(
        amends_backend=log,
        task_default_queue=QUEUES[neighbour][0],
        task_queues={queue: {"routing_key": queue} for queue in QUEUES[neighbour]},
        worker_prefetch_multiplier=1,
    )
    return app


if "NEIGHBOUR" in os.environ:
    app = make_app(os.environ["NEIGHBOUR"], broker=os.environ["BROKER"], log=os.environ["LOG"])
    app.set_default()
    sagas = sagas_of(os.environ["NEIGHBOUR"])
