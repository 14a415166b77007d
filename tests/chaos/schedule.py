"""From a seed to what happens when: orders, and faults. Drawn before the run, so that a seed is a schedule."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tests.chaos.kinds import (
    ALL_KILLED,
    ALL_KILLED_EVERY,
    KINDS,
    PRIMARY_DOWN,
    PRIMARY_DOWN_AFTER,
    PRIMARY_DOWN_EVERY,
    PROBE_KILLED,
    PROBE_KILLED_EVERY,
    REPLIES_LOST,
    Kind,
)

# Seconds between two faults, on average. Many overlap.
PACE = 1.0
# The orders come in this part of the run; in the rest of it faults hit what is still open.
ORDERS_WITHIN = 0.85
# With outages they come to nearly its end: one without orders shows nothing.
ORDERS_WITHIN_OUTAGES = 0.95


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: `at` seconds after the beginning, for `lasts` seconds where it has an end.

    `target` is a worker or a service, where the kind has one. `draw` chooses among what is there only when it
    happens: a child, a message, an order. `details` are what else the kind asks for.
    """

    at: float
    kind: str
    target: str = ""
    lasts: float = 0.0
    draw: int = 0
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When each order is placed, and every fault, in order; seconds after the beginning."""

    orders: tuple[float, ...]
    faults: tuple[Fault, ...]
    lasts: float


def draw_schedule(
    *, seed: int, orders: int, minutes: float, pool: str, broker: str, outages: bool = False
) -> Schedule:
    """Draw a run. The same arguments give the same schedule.

    With `outages` the primary payment goes down again and again, and nothing is drawn that would keep
    anybody from saying what its circuit breaker let through.
    """
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    span = minutes * 60.0
    within = span * (ORDERS_WITHIN_OUTAGES if outages else ORDERS_WITHIN)
    placed = sorted(rng.uniform(0.0, within) for _ in range(orders))
    kinds = {
        name: kind
        for name, kind in KINDS.items()
        if _fits(name, kind, pool, broker) and not (outages and kind.blinds)
    }
    # In a short run it would hide the one outage: with no worker nobody calls.
    all_killed = (
        int(span // ALL_KILLED_EVERY) if outages else max(1, round(span / ALL_KILLED_EVERY))
    )
    first = [
        *_draw_all_killed(rng, span, all_killed),
        *(_draw_outages(rng, span, pool) if outages else ()),
    ]
    faults = _draw_faults(rng, kinds, span, first)
    return Schedule(orders=tuple(placed), faults=tuple(faults), lasts=span)


def _fits(name: str, kind: Kind, pool: str, broker: str) -> bool:
    # Signals reach a prefork child alone; the RabbitMQ of the harness is one server with no parts to empty.
    if name == "broker emptied" and broker != "redis":
        return False
    return kind.weight > 0 and (pool == "prefork" or not kind.prefork_only)


def _draw_all_killed(rng: random.Random, span: float, parts: int) -> Iterator[Fault]:
    """Draw what finds everything free too seldom to come up by chance: once in each two minutes."""
    for part in range(parts):
        at = span * (part + rng.uniform(0.1, 0.8)) / parts
        yield _draw_fault(rng, ALL_KILLED, at, span)


def _draw_outages(rng: random.Random, span: float, pool: str) -> Iterator[Fault]:
    """Draw an outage in each half minute, and in each two minutes a probe that is killed in one."""
    kills = pool == "prefork" and span >= PROBE_KILLED_EVERY
    for part in range(max(1, int(span // PRIMARY_DOWN_EVERY))):
        at = part * PRIMARY_DOWN_EVERY + rng.uniform(*PRIMARY_DOWN_AFTER)
        outage = _draw_fault(rng, PRIMARY_DOWN, at, span)
        if kills and part % int(PROBE_KILLED_EVERY // PRIMARY_DOWN_EVERY) == 1:
            # A call that is answered at once is hard to hit.
            outage = replace(outage, details=REPLIES_LOST)
            yield _draw_fault(rng, PROBE_KILLED, at + 1.0, span)
        yield outage


def _draw_faults(
    rng: random.Random, kinds: Mapping[str, Kind], span: float, first: list[Fault]
) -> list[Fault]:
    faults = [*first]
    at = rng.expovariate(1.0 / PACE)
    while at < span:
        name = rng.choices(list(kinds), [kind.weight for kind in kinds.values()])[0]
        fault = _draw_fault(rng, name, at, span)
        # One that finds its target in use is dropped and not put off: then the others keep their times.
        if not any(_clash(fault, other) or _clash(other, fault) for other in faults):
            faults.append(fault)
        at += rng.expovariate(1.0 / PACE)
    return sorted(faults, key=lambda fault: fault.at)


def _clash(first: Fault, later: Fault) -> bool:
    """Say whether `later` begins while `first` holds, or has not recovered from, what both take hold of."""
    kind, other = KINDS[first.kind], KINDS[later.kind]
    until = first.at + first.lasts + kind.rests
    return first.at <= later.at < until and not {*kind.holds(first.target)}.isdisjoint(
        other.holds(later.target)
    )


def _draw_fault(rng: random.Random, name: str, at: float, span: float) -> Fault:
    kind = KINDS[name]
    return Fault(
        at=round(at, 3),
        kind=name,
        target=rng.choice(kind.targets),
        lasts=round(min(rng.uniform(*kind.lasts), max(0.0, span - at)), 3),
        draw=rng.randrange(1_000_000),
        details=rng.choice(kind.details),
    )
