"""The gate of a breaker in this process: by the circuit in Redis, or by the local one."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from amends.breaker.classification import failure_of
from amends.breaker.local_circuit import LocalCircuit
from amends.breaker.options import Options
from amends.breaker.redis_access import Away, RedisAccess
from amends.breaker.redis_circuit import NEVER, RedisCircuit
from amends.breaker.results import Admitted, Circuit, Failure, Recorded, Rejected
from amends.breaker.states import CircuitState, Outcome
from amends.errors import CircuitOpenError

REMEMBERED: Final = 1.0
"""Seconds at most that an open circuit is not asked for again."""
_UNKNOWN: Final = "unknown"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What was last seen of the shared circuit, if it was not closed: until when it holds, and unasked."""

    state: str
    until: float
    unasked_until: float


class Gate:
    """One breaker as this process knows it. `remembers` is how long an open circuit is not asked for."""

    def __init__(
        self,
        name: str,
        options: Options,
        access: RedisAccess,
        *,
        root: str = "amends:",
        remembers: float = REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shared = RedisCircuit(name, options, access, root)
        self._name = name
        self._options = options
        self._local = LocalCircuit(options)
        self._remembers = remembers
        self._clock = clock
        self._seen: _Seen | None = None
        self._refused = 0  # calls that were kept away, and that Redis was not told of yet
        self._tells_at = 0.0

    def acquire(self, token: str | None, lease: float) -> tuple[Circuit, Admitted]:
        """Ask for a permit. Raises `CircuitOpenError`."""
        seen, now = self._seen, self._clock()
        if seen and now < seen.unasked_until:
            self._refused += 1
            raise self._error(Rejected(state=seen.state, retry_after=seen.until - now))
        circuit: Circuit = self.shared
        try:
            answer = self.shared.acquire_permit(token, lease=lease)
        except Away as away:
            circuit, answer = self._acquire_without_redis(token, lease, away)
        else:
            self._note(answer)
        self._refused += isinstance(answer, Rejected)
        if self._refused and circuit is self.shared:
            self._tell_refused(answer, now)
        if isinstance(answer, Rejected):
            raise self._error(answer)
        return circuit, answer

    def _tell_refused(self, answer: Admitted | Rejected, now: float) -> None:
        """Tell Redis how many calls were kept away since the last time: at most once a second, and without waiting.

        A circuit that nothing ever happened to has no key, and gets none by this.
        """
        is_unknown = isinstance(answer, Admitted) and answer.epoch == NEVER
        if is_unknown or now < self._tells_at:
            return
        self._tells_at = now + self._remembers
        told, self._refused = self._refused, 0
        try:
            self.shared.count_refused(told)
        except Away:
            self._refused += told

    def _acquire_without_redis(
        self, token: str | None, lease: float, away: Away
    ) -> tuple[Circuit, Admitted | Rejected]:
        how, seen, now = self._options.on_backend_error, self._seen, self._clock()
        if how == "reject":
            return self._local, Rejected(state=_UNKNOWN, retry_after=away.retry_after)
        if how == "allow" or (seen and seen.state == CircuitState.DISABLED):
            return self._local, Admitted()
        if seen and now < seen.until:
            return self._local, Rejected(state=seen.state, retry_after=seen.until - now)
        return self._local, self._local.acquire_permit(token, lease=lease)

    def record(
        self, circuit: Circuit, admitted: Admitted, outcome: Outcome, error: BaseException | None
    ) -> None:
        """Record what came of a call."""
        if not admitted.epoch:
            return
        failure = failure_of(error)
        try:
            if outcome is Outcome.SUCCESS:
                recorded = circuit.record_success(admitted)
            elif outcome is Outcome.FAILURE:
                recorded = circuit.record_failure(admitted, failure)
            else:
                recorded = circuit.release_permit(admitted)
        except Away:
            self._record_without_redis(outcome, failure)
        else:
            self.note_move(recorded, failure, is_shared=circuit is self.shared)

    def _record_without_redis(self, outcome: Outcome, failure: Failure) -> None:
        if self._options.on_backend_error == "local" and outcome is not Outcome.NEUTRAL:
            self._local.record_unplaced(failure if outcome is Outcome.FAILURE else None)

    def note_move(self, recorded: Recorded, failure: Failure, *, is_shared: bool) -> None:
        """Say that a result moved the circuit, and remember it where it is the shared one."""
        if recorded.moved_to is CircuitState.OPEN:
            if is_shared:
                self._note(Rejected(state=CircuitState.OPEN, retry_after=recorded.open_for))
            where = "" if is_shared else " in this process"
            _logger.warning(
                "circuit %s opened%s for %.1f s: %s",
                self._name,
                where,
                recorded.open_for,
                failure.why,
            )
        elif recorded.moved_to is CircuitState.CLOSED:
            _logger.info("circuit %s closed", self._name)

    def forget(self) -> None:
        """Ask again before the next call."""
        self._seen = None

    def _note(self, answer: Admitted | Rejected) -> None:
        """Remember what Redis said; it is there, so this process needs no circuit of its own."""
        if self._local.is_used:
            self._local.forget()
        now = self._clock()
        if isinstance(answer, Admitted):
            is_disabled = not answer.epoch
            self._seen = (
                _Seen(state=CircuitState.DISABLED, until=inf, unasked_until=now)
                if is_disabled
                else None
            )
        elif answer.state == CircuitState.HALF_OPEN:
            self._seen = None
        else:
            left = inf if answer.retry_after is None else answer.retry_after
            unasked = min(left, self._remembers)
            self._seen = _Seen(state=answer.state, until=now + left, unasked_until=now + unasked)

    def _error(self, rejected: Rejected) -> CircuitOpenError:
        wait = rejected.retry_after
        if wait is None or wait == inf:  # until a person clears it: nobody knows when
            wait = self._options.reset_timeout
        return CircuitOpenError(self._name, str(rejected.state), wait)
