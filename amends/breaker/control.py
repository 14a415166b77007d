"""The state of a circuit breaker, and the acts of an operator on it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from amends.backend.redis_errors import explained
from amends.breaker.gate import Gate
from amends.breaker.operator_acts import tell_act
from amends.breaker.options import Options
from amends.breaker.redis_access import Away
from amends.breaker.results import Admitted, Failure
from amends.breaker.snapshot import CircuitEvent, CircuitSnapshot, circuit_snapshot
from amends.breaker.states import CircuitState

_ACTS: Final[dict[CircuitState | None, str]] = {
    CircuitState.FORCED_OPEN: "open",
    CircuitState.DISABLED: "disable",
    None: "clear",
}
LONGEST_FORCED: Final = 30 * 86400.0
"""Seconds that a circuit is forced open at most, if that is to end by itself."""


class Control(ABC):
    """The part of `CircuitBreaker` that makes no call.

    All but what speaks for the killed raise `LogUnavailable`, and `ConfigurationError`.
    """

    name: str
    options: Options

    @abstractmethod
    def _gate(self) -> Gate:
        """Return this process's gate at the current app's Redis."""

    @property
    def state(self) -> CircuitState:
        """What a caller meets. An open circuit is so until somebody calls, be its time over or not."""
        return self.snapshot().state

    @property
    def retry_after(self) -> float:
        """Seconds until a call may be let through, 0 where one may be now."""
        return self.snapshot().retry_after

    def snapshot(self) -> CircuitSnapshot:
        """Read how it stands."""
        with _reaching(self.name):
            return circuit_snapshot(self.name, self.options, *self._gate().shared.read())

    def history(self, limit: int = 100) -> list[CircuitEvent]:
        """Read its newest transitions, in their order: who moved it, when and why. It keeps 100."""
        with _reaching(self.name):
            events = self._gate().shared.read_events(limit)
        return [CircuitEvent.from_fields(fields) for fields in events]

    def force_open(
        self, *, by: str | None = None, why: str | None = None, duration: float | None = None
    ) -> None:
        """Let no call through until `clear_override` or `reset`. Calls under way are not recorded.

        by: who decides it, for the history.
        why: the reason, for the history.
        duration: seconds after which it ends by itself, at most 30 days: the next call then finds out whether the service
            is back, as after any opening.

        Raises ``ValueError`` for another `duration`.
        """
        if duration is not None and not 0 < duration <= LONGEST_FORCED:
            raise ValueError(
                f"duration is {duration!r}, not more than 0 seconds and at most {LONGEST_FORCED:.0f}"
            )
        self._override(CircuitState.FORCED_OPEN, by, why, duration)

    def disable(self, *, by: str | None = None, why: str | None = None) -> None:
        """Let every call through and record none until `clear_override` or `reset`."""
        self._override(CircuitState.DISABLED, by, why)

    def clear_override(self, *, by: str | None = None, why: str | None = None) -> None:
        """Let the breaker's own state decide again, which is as it was."""
        self._override(None, by, why)

    def reset(self, *, by: str | None = None, why: str | None = None) -> None:
        """Close it, zero all and take away an override."""
        gate = self._gate()
        with _reaching(self.name):
            gate.shared.reset_breaker(by=by or "", why=why or "")
        gate.forget()
        tell_act("close", self.name, by=by, why=why)

    def report_killed(self, token: str, *, ran_for: float, why: str) -> None:
        """Record the failure of a call whose process was killed before it could report.

        `token` is its permit's, and `ran_for` the seconds since before it was acquired. It counts where that
        token is a live probe's, or where the call began since the last transition. With Redis away it is lost:
        a probe's lease ends by itself.
        """
        gate, failure = self._gate(), Failure(why=why)
        try:
            recorded = gate.shared.record_failure(Admitted(token=token), failure, began_ago=ran_for)
        except Away:
            return
        gate.note_move(recorded, failure, is_shared=True)

    def release_killed(self, token: str) -> None:
        """Give the place of a probe back whose process died of something that says nothing about the service.

        `token` is its permit's; one that holds no place changes nothing. With Redis away it is lost, as above.
        """
        with suppress(Away):
            self._gate().shared.release_probe(Admitted(token=token))

    def _override(
        self,
        override: CircuitState | None,
        by: str | None,
        why: str | None,
        duration: float | None = None,
    ) -> None:
        gate = self._gate()
        with _reaching(self.name):
            is_done = gate.shared.override_breaker(
                override, by=by or "", why=why or "", duration=duration
            )
        gate.forget()
        if is_done:
            tell_act(_ACTS[override], self.name, by=by, why=why)


@contextmanager
def _reaching(name: str) -> Iterator[None]:
    try:
        yield
    except Away as away:
        raise explained(away.error, f"circuit breaker {name!r}") from away
