"""A snapshot of a circuit breaker, and its transitions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from amends.breaker.options import Options
from amends.breaker.results import MICROSECONDS
from amends.breaker.states import CircuitState

EVENT_NAMES: Final = (
    "breaker.opened",
    "breaker.half_opened",
    "breaker.closed",
    "breaker.forced_open",
    "breaker.disabled",
    "breaker.cleared",
    "breaker.reset",
)
"""Every transition's name; the scripts in `lua` write them."""


@dataclass(frozen=True, kw_only=True)
class CircuitEvent:
    """One transition of a breaker.

    `at` is seconds since 1970 by Redis' clock; order events by their place, never by time. `by` is the
    process that moved it, as ``host:pid``, or the person who is said to have. `why` is the last error, or
    the person's reason. `details` holds what the event's name calls for: ``failures`` in a row, ``wait``
    in seconds, the ``token`` of a probe.
    """

    name: str
    at: float
    by: str
    why: str
    details: Mapping[str, Any]

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """Read an event as Redis keeps it."""
        details: dict[str, Any] = {}
        if fields.get("token"):
            details["token"] = fields["token"]
        if "failures" in fields:
            details["failures"] = int(fields["failures"])
        if "wait" in fields:
            details["wait"] = int(fields["wait"]) / MICROSECONDS
        return cls(
            name=fields["name"],
            at=int(fields["at"]) / MICROSECONDS,
            by=fields["by"],
            why=fields.get("why", ""),
            details=details,
        )


@dataclass(frozen=True, kw_only=True)
class CircuitSnapshot:
    """A breaker at one moment.

    `state` is what callers meet: a person's override, or `beneath` where there is none. `retry_after` is
    the seconds until a call may be let through, 0 where one may be now. `failures` and `opens` are in a
    row, `successes` those of probes since it is half-open; `probes` are the tokens under way, with the
    seconds left of their leases. `late` counts results that were dropped, and `refused` the calls that were let through
    nowhere. `by` and `why` are the override's, and `forced_until` is when a forced opening ends by itself, in seconds since
    1970 by Redis' clock; None if it does not.
    """

    name: str
    state: CircuitState
    beneath: CircuitState
    retry_after: float
    failures: int
    opens: int
    successes: int
    probes: Mapping[str, float]
    late: int
    by: str
    why: str
    refused: int = 0
    forced_until: float | None = None


def circuit_snapshot(
    name: str, options: Options, now: int, fields: Mapping[str, str], probes: Mapping[str, float]
) -> CircuitSnapshot:
    """Build a snapshot of what Redis has."""
    beneath = CircuitState(fields.get("state", CircuitState.CLOSED))
    until = int(fields.get("until", 0))
    is_forced = beneath is CircuitState.OPEN and fields.get("forced") == fields.get("epoch")
    ends_itself = is_forced and until > now and not fields.get("override")
    own = CircuitState.FORCED_OPEN if ends_itself else beneath
    state = CircuitState(fields.get("override") or own)
    left = max(0, until - now) / MICROSECONDS
    live = {token: (end - now) / MICROSECONDS for token, end in probes.items() if end > now}
    waits = {
        CircuitState.FORCED_OPEN: left if ends_itself else options.reset_timeout,
        CircuitState.OPEN: left,
        CircuitState.HALF_OPEN: min(live.values(), default=0.0)
        if len(live) >= options.half_open_max_calls
        else 0.0,
    }
    times = fields.get(f"f{fields.get('epoch', '0')}", "")
    return CircuitSnapshot(
        name=name,
        state=state,
        beneath=beneath,
        retry_after=waits.get(state, 0.0),
        failures=len(times.split(",")) if times else 0,
        opens=int(fields.get("opens", 0)),
        successes=int(fields.get("successes", 0)),
        probes=live,
        late=int(fields.get("late", 0)),
        by=fields.get("by", "") if state is not CircuitState.OPEN else "",
        why=fields.get("why", "") if state is not CircuitState.OPEN else "",
        refused=int(fields.get("refused", 0)),
        forced_until=until / MICROSECONDS if ends_itself else None,
    )
