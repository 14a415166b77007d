"""From a seed to what happens when: orders, and faults. Drawn before the run, so that a seed is a schedule."""

import random
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from tests.chaos.brokers import BROKERS
from tests.chaos.kinds import ALL_KILLED, KINDS, PRIMARY_DOWN, PROBE_KILLED, REPLIES_LOST
from tests.chaos.logs import LOGS
from tests.chaos.scene import POOLS, SAGAS, Fault, Kind

# Seconds between two faults, on average. Many overlap.
PACE = 1.0
# The orders come in this part of the run; in the rest of it faults hit what is still open. With outages they come to
# nearly its end: an outage without orders shows nothing.
ORDERS_WITHIN = {False: 0.85, True: 0.95}
ALL_KILLED_EVERY = 120.0
OUTAGE_EVERY = 30.0
OUTAGE_AFTER = (3.0, 8.0)
PROBE_KILLED_EVERY = 4  # outages
# What has replicas suffers all the time what one Redis may suffer now and then.
NODE_FAULT_EVERY = 20.0
NODE_FAULTS = ("log killed", "log handed over", "log frozen", "log slot moved")


def _one_of(names: Collection[str]) -> AfterValidator:
    """Accept one of these names."""

    def check(given: str) -> str:
        if given not in names:
            raise ValueError(f"there is {', '.join(names)}")
        return given

    return AfterValidator(check)


class Options(BaseModel):
    """The options of a run; each but `outages` is a variable of the environment."""

    model_config = ConfigDict(frozen=True)

    seed: NonNegativeInt = Field(default_factory=lambda: secrets.randbelow(10**6))
    orders: PositiveInt = 200
    minutes: float = Field(2.0, gt=0, le=24 * 60)
    pool: Annotated[str, _one_of(POOLS)] = "prefork"
    broker: Annotated[str, _one_of(BROKERS)] = "redis"
    log: Annotated[str, _one_of(LOGS)] = "redis"
    wait_replicas: NonNegativeInt | None = None  #: None: all of them.
    saga: Annotated[str, _one_of(SAGAS)] = "order"
    outages: bool = False

    @model_validator(mode="after")
    def _can_share(self) -> Self:
        if self.broker == "redis-log" and self.log != "redis":
            raise ValueError(
                "BROKER=redis-log needs LOG=redis: kombu knows no cluster, and a log's own user no queues"
            )
        if self.outages and self.saga != "order":
            raise ValueError("outages are of the primary payment, which orders alone have")
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, outages: bool = False) -> Self:
        """Read SEED, ORDERS, MINUTES, POOL, BROKER, LOG, WAIT_REPLICAS and SAGA. Raises :class:`pydantic.ValidationError`."""
        known = {name: environment.get(name.upper()) for name in cls.model_fields}
        given = {name: value for name, value in known.items() if value}
        return cls.model_validate({**given, "outages": outages})


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When each order is placed, and every fault, in order; seconds after the beginning."""

    orders: tuple[float, ...]
    faults: tuple[Fault, ...]
    lasts: float


def draw_schedule(options: Options) -> Schedule:
    """Draw a run. The same options give the same schedule.

    With `outages` the primary payment goes down again and again, and no fault is drawn that hides what its
    circuit breaker lets through.
    """
    rng = random.Random(options.seed)  # noqa: S311 - to be repeated, not to be secret
    span = options.minutes * 60.0
    within = span * ORDERS_WITHIN[options.outages]
    placed = sorted(rng.uniform(0.0, within) for _ in range(options.orders))
    first = list(_draw_all_killed(rng, span, options))
    if options.outages:
        first += _draw_outages(rng, span, options)
    if LOGS[options.log] != "redis":
        first += _draw_node_faults(rng, span, options)
    faults = _draw_faults(rng, span, options, first)
    return Schedule(orders=tuple(placed), faults=tuple(faults), lasts=span)


def _draw_all_killed(rng: random.Random, span: float, options: Options) -> Iterator[Fault]:
    """Draw what finds everything free too seldom to come up by chance: once in each two minutes."""
    # In a short run it would hide the one outage: without a worker there are no calls.
    often = span / ALL_KILLED_EVERY
    parts = int(often) if options.outages else max(1, round(often))
    for part in range(parts):
        at = span * (part + rng.uniform(0.1, 0.8)) / parts
        yield _draw_fault(rng, ALL_KILLED, at, span)


def _draw_outages(rng: random.Random, span: float, options: Options) -> Iterator[Fault]:
    """Draw an outage in each half minute, and in each two minutes a probe that is killed in one."""
    kills = options.pool == "prefork" and span >= PROBE_KILLED_EVERY * OUTAGE_EVERY
    for part in range(max(1, int(span // OUTAGE_EVERY))):
        at = part * OUTAGE_EVERY + rng.uniform(*OUTAGE_AFTER)
        outage = _draw_fault(rng, PRIMARY_DOWN, at, span)
        if kills and part % PROBE_KILLED_EVERY == 1:
            # A call that is answered at once is hard to hit.
            outage = replace(outage, details=REPLIES_LOST)
            yield _draw_fault(rng, PROBE_KILLED, at + 1.0, span)
        yield outage


def _draw_node_faults(rng: random.Random, span: float, options: Options) -> Iterator[Fault]:
    """Draw one in each 20 s, of each kind in turn, from one on that is drawn."""
    kinds = [each for each in NODE_FAULTS if LOGS[options.log] in KINDS[each].logs]
    begin = rng.randrange(len(kinds))
    for part in range(max(1, int(span // NODE_FAULT_EVERY))):
        at = part * NODE_FAULT_EVERY + rng.uniform(0.0, NODE_FAULT_EVERY / 4)
        yield _draw_fault(rng, kinds[(begin + part) % len(kinds)], at, span)


def _draw_faults(
    rng: random.Random, span: float, options: Options, first: list[Fault]
) -> list[Fault]:
    kinds = {name: kind for name, kind in KINDS.items() if _fits(kind, options)}
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


def _fits(kind: Kind, options: Options) -> bool:
    return (
        kind.weight > 0
        and options.pool in kind.pools
        and options.broker in kind.brokers
        and LOGS[options.log] in kind.logs
        and options.saga in kind.sagas
        and not (options.outages and kind.blinds)
    )


def _clash(first: Fault, later: Fault) -> bool:
    """Return whether `later` begins while `first` holds, or has not recovered from, what both take hold of."""
    until = first.at + first.lasts + KINDS[first.kind].rests
    held = KINDS[first.kind].held(first) & KINDS[later.kind].held(later)
    return first.at <= later.at < until and bool(held)


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
