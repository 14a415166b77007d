"""How many charges a circuit breaker may let through to a service that is down.

In an outage every call fails, so the table of states allows, over all workers:

* each attempt that was under way when the outage began: it may have its permit already;
* while the circuit is closed, ``failure_threshold - 1`` failures, as far as there were any, and those under way when
  it opens. A call that the service served before the outage may report its success in it, and they begin anew;
* one probe for each time that the circuit is half-open, and another one for each that was lost with its process,
  or whose lease ran out meanwhile: its place is given back; if it was half-open before the outage, also the
  one after a charge that was refused, which gives the place back too;
* what a process lets through that found Redis away, and counts alone until that answers again.

An attempt is under way from its claim to the saga's next event of it. The process of one that was given up for lost
may only have been frozen: it counts until the longest freeze is over. No attempt calls twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from amends.breaker.snapshot import CircuitEvent
from amends.log.history import Event

# The history's times are cut to milliseconds, the circuit's are not.
CUT = 0.002
FROZEN_AT_MOST = 25.0
THAWED_WITHIN = FROZEN_AT_MOST + 5.0
MOVES = ("step.started", "step.retrying", "step.failed", "step.completed")
CLOSES = ("breaker.closed", "breaker.reset")
LOST = ("WorkerLostError", "LogUnavailable")
NOT_MADE = "CircuitOpenError"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt at the guarded call, and from when to when it may have been under way."""

    began: float
    ended: float
    succeeded: bool = False
    lost: bool = False

    def spans(self, first: float, last: float) -> bool:
        """Return whether some of it lies between two moments."""
        return self.began <= last and first <= self.ended + CUT


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the breaker promises: failures that open it, seconds that it is open, and those of a probe's lease.

    `calls_at_once` is how many calls one process makes at a time.
    """

    failure_threshold: int
    reset_timeout: float
    lease: float
    calls_at_once: int


@dataclass(frozen=True, kw_only=True)
class Outage:
    """One outage, from when to when, in seconds since 1970.

    `charges` reached the service in it, by its own count; `left_alone` is how many times a process found Redis
    away. `transitions` are the circuit's, from long before the outage to its end.
    """

    faults: Mapping[str, object]
    began: float
    ended: float
    charges: int
    left_alone: int
    transitions: Sequence[CircuitEvent]

    @property
    def meanwhile(self) -> list[CircuitEvent]:
        """The transitions in it."""
        return [event for event in self.transitions if self.began < event.at <= self.ended]

    @property
    def last_before(self) -> CircuitEvent | None:
        """The last transition before it."""
        return next((event for event in reversed(self.transitions) if event.at <= self.began), None)

    @property
    def closed(self) -> Iterator[tuple[float, float]]:
        """From when to when the circuit was closed in it."""
        before = self.last_before
        since = self.began if before is None or before.name in CLOSES else None
        for event in self.meanwhile:
            if since is None and event.name in CLOSES:
                since = event.at
            elif since is not None and event.name == "breaker.opened":
                yield since, event.at
                since = None
        if since is not None:
            yield since, self.ended

    def probes(self, lease: float) -> Iterator[int]:
        """Yield how many probes were granted each time that the circuit was half-open."""
        before = self.last_before
        ends = [*(event.at for event in self.meanwhile), self.ended]
        if before is not None and before.name == "breaker.half_opened":
            yield 1 + _leases(before.at, self.began, ends[0], lease)
        for event, end in zip(self.meanwhile, ends[1:], strict=True):
            if event.name == "breaker.half_opened":
                yield 1 + _leases(event.at, event.at, end, lease)


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What may reach a service in one outage, by its cause.

    `outside` is how many attempts made a call, by their histories, that met no closed circuit: they were probes.
    """

    counted: int
    under_way: int
    probes: int
    alone: int
    outside: int

    @property
    def charges(self) -> int:
        """How many charges may reach the service."""
        return self.counted + self.under_way + self.probes + self.alone


def attempts_of(history: Sequence[Event], path: str) -> Iterator[Attempt]:
    """Read the attempts at one record that made a call, or may have."""
    own = [event for event in history if event.record == path and event.name in MOVES]
    for event, following in pairwise([*own, None]):
        if event is None or event.name != "step.started":
            continue
        error = "" if following is None else (following.details.get("error") or {}).get("type", "")
        if error == NOT_MADE:
            continue
        ended, lost = inf if following is None else following.at, error in LOST
        yield Attempt(
            began=event.at,
            ended=max(ended, event.at + THAWED_WITHIN) if lost else ended,
            succeeded=following is not None and following.name == "step.completed",
            lost=lost,
        )


def allowed(outage: Outage, attempts: Sequence[Attempt], limits: Limits) -> Allowed:
    """Count what may reach the service in an outage."""
    closed = list(outage.closed)
    resets = under_way = failed = outside = lost = 0
    for attempt in attempts:
        spanned = [(since, until) for since, until in closed if attempt.spans(since, until)]
        resets += len(spanned) if attempt.succeeded else 0
        moments = [outage.began, *(until for _, until in spanned)]
        if any(attempt.spans(moment, moment) for moment in moments) or (attempt.lost and spanned):
            under_way += 1
        elif spanned:
            failed += 1
        elif outage.began < attempt.began <= outage.ended:
            lost += attempt.lost
            outside += not attempt.lost
    most = (limits.failure_threshold - 1) * (len(closed) + resets)
    return Allowed(
        counted=min(most, failed),
        under_way=under_way,
        probes=sum(outage.probes(limits.lease)) + lost,
        alone=outage.left_alone * (limits.failure_threshold - 1 + limits.calls_at_once),
        outside=outside,
    )


def early_probes(transitions: Sequence[CircuitEvent], reset_timeout: float) -> list[CircuitEvent]:
    """Return the probes that were granted sooner than `reset_timeout` after the circuit opened."""
    return [
        later
        for earlier, later in pairwise(transitions)
        if later.name == "breaker.half_opened"
        and later.at + CUT < earlier.at + max(reset_timeout, earlier.details.get("wait", 0.0))
    ]


def _leases(granted: float, since: float, until: float, lease: float) -> int:
    """Count the leases that may have run out between two moments, after a first probe."""
    return int((until - granted) // lease) - int((since - granted) // lease)
