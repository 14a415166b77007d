"""One subscription of a process to a channel of its Redis, for all of its threads that wait for a message there.

A message may be lost, and a user may have no right to channels: who waits looks at intervals too, and more often while the
subscription is not live.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, Protocol

from redis.exceptions import ConnectionError as Lost
from redis.exceptions import ResponseError
from redis.sentinel import SentinelManagedConnection

from amends.backend.client import Client
from amends.backend.cluster import primaries_of
from amends.backend.sentinel import leads_elsewhere

_TICK: Final = 1.0
"""Seconds after which the thread looks whether it is still wanted."""

_SOONEST: Final = 1.0
_LATEST: Final = 10.0
_WHEN_REFUSED: Final = 60.0
"""Seconds until it subscribes again: after a first failure, after many, and where the user may not."""

_UNDER_WAY: Final = 0.5
"""Seconds that a message may take; one that was missed for longer is lost."""


class Event(Protocol):
    """What is set for who listens: a ``threading.Event``, or what stands for one in an event loop.

    One that has `is_over`, and it is true, has lost who listened.
    """

    def set(self) -> None:
        """Set it, from any thread."""


class Subscription:
    """Sets the events of those who listen for a name, when that name is published on the channel.

    client: its pool gives one connection, from when somebody listens until nobody has for `idle` seconds. With None it is
        never live.
    channel: of this process alone.
    trusted: seconds for which a new subscription is not doubted: messages may be missing since nobody publishes them.
    """

    def __init__(
        self, client: Client | None, channel: str, *, idle: float = 10.0, trusted: float = 30.0
    ) -> None:
        self.channel = channel
        #: Whether Redis has confirmed the subscription. All events are set when that changes.
        self.is_live = False
        self._client = client
        self._idle = idle
        self._trusted = trusted
        # Reentrant: the garbage collector may end a coroutine that listens, in a thread that has it.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._listeners: dict[str, set[Event]] = {}
        self._missed: dict[str, float] = {}
        self._failures = 0
        self._not_before = self._not_doubted_before = self._heard_of_at = 0.0

    @contextmanager
    def listening(self, name: str) -> Iterator[threading.Event]:
        """Give an event that is set when the name is published, and when `is_live` changes; see `ensure`."""
        event = threading.Event()
        self.add(name, event)
        try:
            yield event
        finally:
            self.discard(name, event)

    def add(self, name: str, event: Event) -> None:
        """Do as `listening` with an event of the caller's, until `discard`."""
        with self._lock:
            self._listeners.setdefault(name, set()).add(event)

    def discard(self, name: str, event: Event) -> None:
        """Listen no more."""
        with self._lock:
            events = self._listeners.get(name, set())
            events.discard(event)
            if not events:
                self._listeners.pop(name, None)
            self._heard_of_at = time.monotonic()

    def ensure(self) -> None:
        """Subscribe in the background, unless that is so, is under way, or has just failed."""
        with self._lock:
            if (
                self._client is None
                or self._thread is not None
                or time.monotonic() < self._not_before
            ):
                return
            thread = threading.Thread(
                target=self._run, args=[self._client], name="amends-waits", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # no thread can be started, as when the interpreter ends
                self._not_before = time.monotonic() + _LATEST
            else:
                self._thread = thread

    def doubt(self, name: str) -> None:
        """Subscribe anew unless the name was published: somebody has found that it should have been."""
        with self._lock:
            if self.is_live and time.monotonic() >= self._not_doubted_before:
                self._missed[name] = time.monotonic()

    def _run(self, client: Client) -> None:
        try:
            node = random.choice(primaries_of(client))  # noqa: S311 - a message reaches each of a cluster
            with closing(node.pubsub()) as subscription:
                subscription.subscribe(self.channel)
                while not self._is_idle():
                    _check_primary(subscription.connection)
                    self._hear(subscription.get_message(timeout=_TICK))
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits looks more often from now on
            self._failures += 1
            pause = min(_SOONEST * 2 ** (self._failures - 1), _LATEST)
            if isinstance(error, ResponseError):
                pause = _WHEN_REFUSED
            self._end(time.monotonic() + pause)

    def _is_idle(self) -> bool:
        with self._lock:
            self._forget_lost()
            if self._listeners or time.monotonic() < self._heard_of_at + self._idle:
                return False
            self._thread, self.is_live = None, False
            return True

    def _forget_lost(self) -> None:
        """Forget who listened in a loop that was closed without an end of its tasks."""
        found = [(name, each) for name, events in self._listeners.items() for each in events]
        for name, event in found:
            if getattr(event, "is_over", False):
                self.discard(name, event)

    def _hear(self, message: Any) -> None:
        if message and message["type"] == "subscribe":
            self._failures = 0
            with self._lock:
                self._not_doubted_before = time.monotonic() + self._trusted
                self.is_live = True
            self._set_all()
        elif message and message["type"] == "message":
            with self._lock:
                self._missed.pop(message["data"], None)
                for event in [*self._listeners.get(message["data"], ())]:
                    event.set()
        with self._lock:
            is_lost = any(time.monotonic() > at + _UNDER_WAY for at in self._missed.values())
        if is_lost:
            raise Lost("a message was lost")

    def _end(self, not_before: float) -> None:
        with self._lock:
            self._thread, self.is_live, self._not_before = None, False, not_before
            self._missed.clear()
        self._set_all()

    def _set_all(self) -> None:
        with self._lock:
            for event in [each for events in self._listeners.values() for each in events]:
                event.set()


def _check_primary(connection: Any) -> None:
    """Raise redis-py's ``ConnectionError`` if Sentinels have named another primary, which this one may say nothing of."""
    if isinstance(connection, SentinelManagedConnection) and leads_elsewhere(connection):
        raise Lost("Sentinels name another primary")
