"""A fault, and what it may act on."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from demo.sandbox import Faults
from tests.chaos.brokers import BROKERS
from tests.chaos.circuit import Outage
from tests.chaos.logs import LOGS
from tests.chaos.orders import Orders
from tests.chaos.queues import Message, Queues
from tests.chaos.system import System

TARGET = "its target"
SAGAS = ("order", "fulfilment")
POOLS = ("prefork", "threads", "gevent", "solo")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: `at` seconds after the beginning, for `lasts` seconds if it has an end.

    `target` is a worker or a service, if the kind has one. `draw` chooses among what is there only when it
    happens: a child, a message, an order. `details` are the kind's own.
    """

    at: float
    kind: str
    target: str = ""
    lasts: float = 0.0
    draw: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


class EventLog:
    """What happened in a run, one JSON object a line, from any thread; `at` is seconds since 1970."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = path.open("w", encoding="utf-8", buffering=1)

    def write(self, what: str, **details: Any) -> None:
        """Write down what happened now."""
        line = json.dumps({"at": round(time.time(), 3), "what": what, **details}, default=str)
        with self._lock:
            self._file.write(line + "\n")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a fault may act on.

    `ending` is set when the run is over, and every wait ends with it. `usual` are the services' faults all the time.
    `kept` are messages that were taken, to be delivered when everything is over; `outages` what was seen of them.
    """

    system: System
    orders: Orders
    queues: Queues
    services: httpx.Client
    events: EventLog
    ending: threading.Event
    usual: Faults
    kept: list[Message] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        """Wait so long, or until the run is over."""
        self.ending.wait(seconds)


Act = Callable[[Scene, Fault], str | None]
"""Does one fault to its end; returns what it hit, or None if it found nothing to hit."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    act: Act
    weight: float  #: How often it is drawn.
    lasts: tuple[float, float] = (0.0, 0.0)  #: Seconds, from and to.
    _: KW_ONLY
    targets: Sequence[str] = ("",)
    holds: Sequence[str] = ()  #: What it takes hold of until that has recovered; `TARGET` among it.
    rests: float = 0.0  #: Seconds that the recovery takes.
    details: Sequence[Mapping[str, Any]] = ({},)
    logs: Sequence[str] = tuple(set(LOGS.values()))  #: What log it is for.
    brokers: Sequence[str] = BROKERS  #: What broker it is for.
    pools: Sequence[str] = POOLS  #: What pool it is for.
    sagas: Sequence[str] = SAGAS  #: What saga it is for.
    #: Whether it takes away the breakers' Redis, so that each process counts alone, or the services' counts.
    blinds: bool = False

    def held(self, fault: Fault) -> set[str]:
        """Return what a fault of this kind takes hold of."""
        return {fault.target if name == TARGET else name for name in self.holds}
