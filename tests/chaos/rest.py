"""The end of a run: all is healed, every saga comes to rest, and what was kept is delivered again.

A server that lives may be late to answer for a second on a busy machine, so each is asked again, `REST_WITHIN` at most.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from amends import LogUnavailable
from tests.chaos.queues import BrokerAway
from tests.chaos.scene import Scene

# For all that is open: what a worker or a message lost in the last second costs, and the undos' retries.
REST_WITHIN: Final = 180.0
STILL: Final = 2.0  # seconds of empty queues after which nothing more is under way
TICK: Final = 0.1
T = TypeVar("T")


def insist(ask: Callable[[], T]) -> T:
    """Return an answer of the log or the broker. Raises `LogUnavailable` or `BrokerAway` once it was away for long."""
    deadline = time.monotonic() + REST_WITHIN
    while True:
        try:
            return ask()
        except (BrokerAway, LogUnavailable):
            if time.monotonic() > deadline:
                raise
        time.sleep(TICK)


def await_rest(scene: Scene) -> None:
    """Wait until every saga is at rest; the verdict says which are not."""
    deadline = time.monotonic() + REST_WITHIN
    while not scene.orders.all_at_rest and time.monotonic() < deadline:
        time.sleep(TICK)
    scene.events.write("at_rest", all=scene.orders.all_at_rest)


def deliver_again(scene: Scene) -> None:
    """Deliver every message that was kept, now that all is over; wait until nothing is under way."""
    for message in scene.kept:
        insist(partial(scene.queues.put, message))
    scene.events.write("delivered_again", count=len(scene.kept))
    deadline = time.monotonic() + REST_WITHIN
    empty_since = time.monotonic()
    while time.monotonic() - empty_since < STILL and time.monotonic() < deadline:
        if any(insist(scene.queues.lengths).values()):
            empty_since = time.monotonic()
        time.sleep(TICK)
