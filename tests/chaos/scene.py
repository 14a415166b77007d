"""What a fault may act on."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
from celery import Celery

from tests.chaos.circuit import Outage
from tests.chaos.event_log import EventLog
from tests.chaos.orders import Orders
from tests.chaos.queues import Message, Queues
from tests.chaos.schedule import Fault
from tests.chaos.system import System

# To wait for a moment in which a step runs.
PATIENCE = 3.0
POLL = 0.02


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a fault may act on. `ending` is set when the run is over, and every wait ends with it.

    `usual` is what is wrong with the services all the time.
    `kept` are messages that were taken, to be delivered when everything is over; `outages` what was seen of them.
    """

    system: System
    orders: Orders
    queues: Queues
    services: httpx.Client
    app: Celery
    events: EventLog
    ending: threading.Event
    usual: Mapping[str, Mapping[str, float]]
    kept: list[Message]
    outages: list[Outage]

    def pause(self, seconds: float) -> None:
        """Wait so long, or until the run is over."""
        self.ending.wait(seconds)


Act = Callable[[Scene, Fault], str | None]
"""Does one fault to its end; returns what it hit, or None where there was nothing to hit."""
