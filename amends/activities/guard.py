"""A circuit breaker before an activity, and what becomes of an attempt that meets an open circuit."""

import os
import random
import time
from dataclasses import dataclass
from math import inf
from typing import Final, Literal, get_args

from celery.exceptions import SoftTimeLimitExceeded

from amends.breaker.definition import CircuitBreaker
from amends.breaker.permit import Permit
from amends.breaker.states import CircuitState
from amends.errors import CircuitOpenError, DefinitionError
from amends.log.owner import WorkerProcess

OnCircuitOpen = Literal["defer", "fallback", "fail"]

Caller = tuple[str, int]
"""Names a call: the id of its message, and Celery's retries of it."""

_LEASE_MARGIN: Final = 5.0
_MOSTLY: Final = 0.9
_HELD: Final = 2.0
_FIRST_JITTER: Final = 1.0
_LONGEST_JITTER: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Guard:
    """The breaker that an activity's calls go through, and what an open circuit means for them."""

    breaker: CircuitBreaker
    on_open: OnCircuitOpen

    def acquire(self, caller: Caller, *, longest: float, limit: float) -> "GuardedCall":
        """Ask for a call. Raises `CircuitOpenError`.

        longest: seconds until the call is over for certain.
        limit: seconds that it may take; 0 where the message's time limit is the call's own.
        """
        lease = longest + _LEASE_MARGIN
        try:
            permit = self.breaker.acquire(token=permit_token(*caller), lease=lease)
        except CircuitOpenError as error:
            if self._goes_elsewhere:
                time.sleep(min(error.retry_after, _HELD, longest / 4))
            raise
        return GuardedCall(permit, limit=limit)

    @property
    def _goes_elsewhere(self) -> bool:
        """Whether another worker may make the call now.

        The one that may not holds the message for a moment: it would take each that comes, and be faster than the others.
        """
        return self.on_open == "defer" and self.breaker.options.scope == "worker"

    def wait(self, error: CircuitOpenError, deferrals: int) -> float:
        """Return the seconds until a call that met the open circuit is tried again, with jitter.

        Of a shared circuit until it may let a call through, and longer with each deferral; of a worker's own a moment. One
        that is forced open is asked again after its `reset_timeout`, for an operator may let go of it at any time.
        """
        if self._goes_elsewhere:
            return random.uniform(0, _FIRST_JITTER)  # noqa: S311 - jitter
        return wait_for_circuit(error, deferrals, longest=self.breaker.options.reset_timeout)


class GuardedCall:
    """A call that a breaker let through: entered while the function runs, and recorded once it has ended.

    Only the call itself speaks of the service. What the saga log takes before and after it does not: neither a process
    that is killed then, nor a time limit of the message that leaves the call less than its `limit`.
    """

    def __init__(self, permit: Permit, *, limit: float) -> None:
        self._permit = permit
        self._limit = limit
        self._is_cut_short = False

    def __enter__(self) -> None:
        """Note that it begins, for the worker's main process; see `GuardedRequest`."""
        self._began = time.monotonic()
        WorkerProcess.current.note_call(os.getpid(), begins=True)

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        """Note that it has ended."""
        WorkerProcess.current.note_call(os.getpid(), begins=False)
        ran = time.monotonic() - self._began
        self._is_cut_short = (
            isinstance(error, SoftTimeLimitExceeded) and ran < _MOSTLY * self._limit
        )

    def record(self, error: BaseException | None) -> None:
        """Tell the breaker how the call ended."""
        if self._is_cut_short:
            self._permit.release()
        else:
            self._permit.record(error)


def permit_token(task_id: str, retries: int) -> str:
    """Name a call so that the worker's main process can speak for a child that was killed in it."""
    return f"{task_id}:{retries}"


def wait_for_circuit(error: CircuitOpenError, deferrals: int, *, longest: float = inf) -> float:
    """Seconds until a circuit may let a call through, and jitter that grows with each deferral.

    longest: seconds that one which is forced open is waited for before that.
    """
    jitter = min(_LONGEST_JITTER, _FIRST_JITTER * 2.0 ** min(deferrals, 10))
    # A probe has its lease in case it is killed, and mostly is over long before: it is not waited for.
    is_probed = error.state == CircuitState.HALF_OPEN
    is_forced = error.state == CircuitState.FORCED_OPEN
    wait = min(error.retry_after, longest) if is_forced else error.retry_after
    return (0.0 if is_probed else wait) + random.uniform(0, jitter)  # noqa: S311


def guard_of(
    breaker: object, on_open: OnCircuitOpen | None, *, name: str, undoes: bool
) -> Guard | None:
    """Check the options of an activity, and join them. Raises `DefinitionError`."""
    if breaker is None:
        if on_open is not None:
            raise DefinitionError(
                f"{name}: on_circuit_open= says what an open circuit means; give the breaker="
            )
        return None
    if not isinstance(breaker, CircuitBreaker):
        raise DefinitionError(f"{name}: breaker is {breaker!r}, not a CircuitBreaker")
    if on_open is not None and on_open not in get_args(OnCircuitOpen):
        raise DefinitionError(
            f"{name}: on_circuit_open is {on_open!r}, not 'defer', 'fallback' or 'fail'"
        )
    if undoes and on_open not in (None, "defer"):
        raise DefinitionError(
            f"{name}: on_circuit_open is {on_open!r}; an undo can only be deferred, or its saga would be"
            " stuck with the first open circuit"
        )
    return Guard(breaker=breaker, on_open=on_open or "defer")
