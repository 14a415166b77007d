"""The circuit of this process alone, by the same table, used while Redis is away."""

import threading
import time
from collections.abc import Callable
from typing import Final

from amends.breaker.options import Options
from amends.breaker.results import MICROSECONDS, Admitted, Failure, Recorded, Rejected, new_token
from amends.breaker.states import CircuitState

_LATE: Final = Recorded(said="late")


def _monotonic() -> int:
    return time.monotonic_ns() // 1000


class LocalCircuit:
    """A circuit of this process. Its lock is held while it moves, never while a call runs."""

    def __init__(self, options: Options, *, clock: Callable[[], int] = _monotonic) -> None:
        self._options = options
        self._clock = clock
        self._lock = threading.Lock()
        self.is_used = False
        self._state = CircuitState.CLOSED
        self._epoch = 0
        self._until = 0
        self._opens = 0
        self._failures: list[int] = []
        self._probes: dict[str, int] = {}
        self._successes = 0

    def forget(self) -> None:
        """Begin anew: the shared circuit is back."""
        with self._lock:
            self._close()
            self.is_used = False

    def acquire_permit(self, token: str | None, *, lease: float) -> Admitted | Rejected:
        """Ask for a permit."""
        with self._lock:
            now, self.is_used = self._clock(), True
            if self._state is CircuitState.CLOSED:
                return Admitted(epoch=str(self._epoch))
            if self._state is CircuitState.OPEN:
                if now < self._until:
                    return _rejected(self._state, self._until - now)
                self._move_to(CircuitState.HALF_OPEN)
            self._probes = {each: end for each, end in self._probes.items() if end > now}
            token = token or new_token()
            has_room = len(self._probes) < self._options.half_open_max_calls
            if has_room or token in self._probes:
                self._probes[token] = now + round(lease * MICROSECONDS)
                return Admitted(epoch=str(self._epoch), token=token)
            return _rejected(self._state, min(self._probes.values()) - now)

    def record_success(self, admitted: Admitted) -> Recorded:
        """Record that a permitted call succeeded."""
        with self._lock:
            if not self._is_live(admitted):
                return _LATE
            if self._state is CircuitState.CLOSED:
                self._failures = []
                return Recorded(said="counted")
            del self._probes[admitted.token]
            self._successes += 1
            if self._successes < self._options.success_threshold:
                return Recorded(said="counted")
            self._close()
            return Recorded(said="closed")

    def record_failure(self, admitted: Admitted, failure: Failure) -> Recorded:
        """Record that a permitted call failed."""
        with self._lock:
            if not self._is_live(admitted):
                return _LATE
            if self._state is CircuitState.CLOSED and not self._is_one_too_many():
                return Recorded(said="counted")
            wait = round(self._open_for(failure.retry_after))
            self._move_to(CircuitState.OPEN)
            self._opens += 1
            self._until = self._clock() + wait
            return Recorded(said="opened", open_for=wait / MICROSECONDS)

    def record_unplaced(self, failure: Failure | None) -> None:
        """Count a result that the shared circuit had admitted and could not take; None is a success."""
        with self._lock:
            self.is_used = True
            admitted = Admitted(epoch=str(self._epoch))
            if self._state is not CircuitState.CLOSED:
                return
        if failure is None:
            self.record_success(admitted)
        else:
            self.record_failure(admitted, failure)

    def release_permit(self, admitted: Admitted) -> Recorded:
        """Give a permit back whose call said nothing about the service."""
        with self._lock:
            if admitted.token and not self._is_live(admitted):
                return _LATE
            self._probes.pop(admitted.token, None)
            return Recorded(said="released")

    def _is_one_too_many(self) -> bool:
        window, now = self._options.failure_window, self._clock()
        since = 0 if window is None else now - round(window * MICROSECONDS)
        self._failures = [*(each for each in self._failures if each >= since), now]
        return len(self._failures) >= self._options.failure_threshold

    def _open_for(self, asked: float | None) -> float:
        options = self._options
        asked = options.granted(asked)
        if asked is not None:
            return asked * MICROSECONDS * options.jitter()
        longest = options.max_reset_timeout * MICROSECONDS
        try:
            wait = (
                options.reset_timeout * MICROSECONDS * options.reset_timeout_multiplier**self._opens
            )
        except OverflowError:
            wait = longest
        return min(wait, longest) * options.jitter()

    def _is_live(self, admitted: Admitted) -> bool:
        if admitted.epoch != str(self._epoch) or self._state is CircuitState.OPEN:
            return False
        return (
            self._state is CircuitState.CLOSED
            or self._probes.get(admitted.token, 0) > self._clock()
        )

    def _move_to(self, state: CircuitState) -> None:
        self._state = state
        self._epoch += 1
        self._failures = []
        self._probes = {}
        self._successes = 0

    def _close(self) -> None:
        self._opens = 0
        self._move_to(CircuitState.CLOSED)


def _rejected(state: CircuitState, micros: int) -> Rejected:
    return Rejected(state=state, retry_after=micros / MICROSECONDS)
