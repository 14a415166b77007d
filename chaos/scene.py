"""What a fault may act on."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from celery import Celery

from chaos.event_log import EventLog
from chaos.orders import Orders
from chaos.queues import Message, Queues
from chaos.schedule import Fault
from chaos.system import System

# To wait for a moment in which a step runs.
PATIENCE = 3.0
POLL = 0.02


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a fault may act on. `ending` is set when the run is over, and every wait ends with it.

    `kept` are messages that were taken, to be delivered when everything is over.
    """

    system: System
    orders: Orders
    queues: Queues
    services: httpx.Client
    app: Celery
    events: EventLog
    ending: threading.Event
    kept: list[Message]

    def pause(self, seconds: float) -> None:
        """Wait so long, or until the run is over."""
        self.ending.wait(seconds)


Act = Callable[[Scene, Fault], str | None]
"""Does one fault to its end; returns what it hit, or None where there was nothing to hit."""
