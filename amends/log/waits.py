"""Waiting for a saga: its transitions tell the process, which looks too, in case that it was not told."""

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

from amends.backend.client import is_in_memory
from amends.backend.subscription import Event as Told
from amends.backend.subscription import Subscription
from amends.definition.states import ENDED, SagaStatus
from amends.errors import LogUnavailable
from amends.log.queries.remembered_sagas import read_remembered, unknown_saga
from amends.log.store import Store

_LASTS: Final = 60_000
"""Milliseconds for which a saga tells a process that has not asked again: as long as a dead one costs it anything."""

Pauses = tuple[float, float]
"""The first and the longest pause between two looks, in seconds."""

_UNTOLD: Final = (0.02, 0.5)

_AT_ONCE: Final = 16
"""Looks at a time of a process: its waits are woken together, and redis-py's pool may have few connections."""

_WITHOUT: Final = 5.0
"""Seconds to look as if without a subscription, after the log did not note a wait."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A saga as who waits for it sees it."""

    status: SagaStatus
    is_behind: bool = False  #: Whether the step is done, skipped or passed over.

    @property
    def is_enough(self) -> bool:
        """Whether the step is behind the saga, or the saga has ended."""
        return self.is_behind or self.status in ENDED


class Waits:
    """The waits of this process, which share a subscription. Its methods raise `LogUnavailable` and `UnknownSaga`.

    told: pauses of a wait that is told: messages may be lost, and workers of an earlier release publish none.
    turn: longest time that a look waits for others, in seconds; in an outage each takes long.
    """

    def __init__(
        self,
        store: Store,
        read_status: Callable[[str], SagaStatus],
        *,
        told: Pauses = (1.0, 2.0),
        turn: float = 1.0,
    ) -> None:
        self._store = store
        self.read_status = read_status
        self.told = told
        self._turn = turn
        client = None if is_in_memory(store.client) else store.client
        self.subscription = Subscription(client, store.waits_channel(secrets.token_hex(8)))
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._not_before = -inf

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until few others look."""
        has_turn = self._turns.acquire(timeout=self._turn)
        try:
            yield
        finally:
            if has_turn:
                self._turns.release()

    @contextmanager
    def begin(self, saga_id: str, event: "Event") -> Iterator["Wait"]:
        """Begin to wait for a saga; `event` is set when a look is worth while."""
        with ExitStack() as listening:
            yield Wait(self, saga_id, event, listening)

    def await_saga(self, saga_id: str, step: str, *, channel: str) -> tuple[Look, bool]:
        """Look how far a saga is; returns too whether that channel is told when it has come there.

        step: its name, or '' for the saga's end.
        channel: '' to look only.
        """
        answer = self._store.call("await_saga", saga_id, step, channel, _LASTS)
        if not answer:
            if past := read_remembered(self._store, saga_id):
                return Look(status=past.status), False
            raise unknown_saga(self._store, saga_id)
        status, is_behind, is_told = answer
        return Look(status=SagaStatus(status), is_behind=bool(is_behind)), bool(is_told)

    def ask_to_be_told(self, saga_id: str, step: str) -> tuple[Look, bool] | None:
        """Do as `await_saga` with the subscription's channel; None while that hears nothing or the log notes nothing."""
        if not self.subscription.is_live or time.monotonic() < self._not_before:
            return None
        try:
            return self.await_saga(saga_id, step, channel=self.subscription.channel)
        except LogUnavailable:  # perhaps it only takes no writes
            self._not_before = time.monotonic() + _WITHOUT
            return None


class Event(Told, Protocol):
    """A ``threading.Event``, or what stands for one in an event loop."""

    def clear(self) -> None:
        """Clear it, from any thread."""


class Wait:
    """One call that waits. It listens from its first pause on, for most sagas that are asked for have ended."""

    def __init__(self, waits: Waits, saga_id: str, event: Event, listening: ExitStack) -> None:
        self._waits = waits
        self._saga_id = saga_id
        self._event = event
        self._listening = listening
        self._is_told = self._listens = self._was_woken = False
        self._pause = 0.0

    def look(self, step: str) -> Look:
        """Look how far the saga is, and ask to be told when it is further.

        step: the name of the one that is waited for, or '' for the saga's end.
        """
        was_told = self._is_told
        with self._waits.turn():
            look, self._is_told = self._ask_to_be_told(step) or (self._only_look(step), False)
        if self._is_told is not was_told:
            self._pause = 0.0
        if was_told and not self._was_woken and (look.is_enough or look.status is SagaStatus.STUCK):
            self._waits.subscription.doubt(self._saga_id)
        return look

    def _ask_to_be_told(self, step: str) -> tuple[Look, bool] | None:
        self._event.clear()  # first: what is told from now on is not in what is read
        return self._waits.ask_to_be_told(self._saga_id, step) if self._listens else None

    def _only_look(self, step: str) -> Look:
        if not step:
            return Look(status=self._waits.read_status(self._saga_id))
        return self._waits.await_saga(self._saga_id, step, channel="")[0]

    def begin_pause(self, at_most: float) -> float:
        """Listen. Returns for how many seconds, if the event is not set, so many at most, until a look is worth while."""
        first, longest = self._waits.told if self._is_told else _UNTOLD
        self._pause = min(self._pause * 1.5, longest) if self._pause else first
        if not self._listens:
            self._listens = True
            self._waits.subscription.add(self._saga_id, self._event)
            self._listening.callback(self._waits.subscription.discard, self._saga_id, self._event)
        self._waits.subscription.ensure()
        return min(at_most, self._pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    def end_pause(self, *, was_woken: bool) -> None:
        """Note whether the event was set in the pause."""
        self._was_woken = was_woken
