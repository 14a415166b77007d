"""From a seed to what happens when: orders, and faults. Drawn before the run, so that a seed is a schedule."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chaos.system import WORKERS

# Seconds between two faults, on average. Many overlap.
PACE = 1.0
# The orders come in this part of the run; in the rest of it faults hit what is still open.
ORDERS_WITHIN = 0.85
# How long what was hit recovers before it is hit again: a worker boots for some seconds, and judges others only
# after 15 s of its own heartbeats. So that a dead worker is noticed at all, one of three workers is always left alone:
# at any time one may have a fault of its process and one a fault of its line.
WORKER_RESTS = 20.0
# An outage of the log makes every judge begin anew, and one of the broker keeps what is found from being published.
SIGHT_RESTS = 25.0

ALL_KILLED = "all workers killed"
ALL_KILLED_EVERY = 120.0

FAULTY: Sequence[Mapping[str, object]] = (
    {"down": True},
    {"latency": 1.5},
    {"error_rate": 0.5},
    {"lost_reply_rate": 0.5, "lost_undo_reply_rate": 0.3},
)
SERVICES = ("inventory", "payments.primary", "payments.fallback", "shipping", "notifications")


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


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How often a kind of fault is drawn, and what it takes hold of until that has recovered.

    `holds` names that for a target; `rests` is the seconds it needs afterwards. `lasts` is from, to.
    """

    weight: float
    lasts: tuple[float, float] = (0.0, 0.0)
    targets: Sequence[str] = ("",)
    holds: Callable[[str], Sequence[str]] = lambda _target: ()
    rests: float = 0.0
    details: Sequence[Mapping[str, object]] = ({},)
    prefork_only: bool = False


def _itself(target: str) -> Sequence[str]:
    return (target,)


def _process(target: str) -> Sequence[str]:
    return (target, "process")


def _line(target: str) -> Sequence[str]:
    return (target, "line")


def _sight(_target: str) -> Sequence[str]:
    return ("sight",)


def _everything(_target: str) -> Sequence[str]:
    return (*WORKERS, "process", "sight")


NAMES = tuple(WORKERS)
# Whether to wait for a moment in which a step runs there, which a blind blow seldom meets.
BUSY_OR_NOT: Sequence[Mapping[str, object]] = ({"busy": True}, {"busy": True}, {"busy": False})
KINDS: Mapping[str, Kind] = {
    # workers
    "child killed": Kind(weight=5, targets=NAMES, details=BUSY_OR_NOT, prefork_only=True),
    "worker killed": Kind(
        weight=10,
        lasts=(0.2, 8.0),
        targets=NAMES,
        holds=_process,
        rests=WORKER_RESTS,
        details=BUSY_OR_NOT,
    ),
    "worker redeployed": Kind(weight=4, targets=NAMES, holds=_process, rests=WORKER_RESTS),
    "worker frozen": Kind(
        weight=10,
        lasts=(3.0, 25.0),
        targets=NAMES,
        holds=_process,
        rests=WORKER_RESTS,
        details=BUSY_OR_NOT,
    ),
    ALL_KILLED: Kind(weight=1, lasts=(0.2, 4.0), holds=_everything, rests=SIGHT_RESTS),
    # the way to the log
    "line refused": Kind(
        weight=8, lasts=(0.2, 20.0), targets=NAMES, holds=_line, rests=WORKER_RESTS
    ),
    "line muted": Kind(weight=8, lasts=(0.2, 20.0), targets=NAMES, holds=_line, rests=WORKER_RESTS),
    "answers lost": Kind(weight=5, targets=NAMES, details=({"count": 1}, {"count": 2})),
    # servers
    "log killed": Kind(weight=8, lasts=(0.0, 4.0), holds=_sight, rests=SIGHT_RESTS),
    "log frozen": Kind(weight=8, lasts=(1.0, 8.0), holds=_sight, rests=SIGHT_RESTS),
    "broker killed": Kind(weight=8, lasts=(0.0, 8.0), holds=_sight, rests=SIGHT_RESTS),
    "broker frozen": Kind(weight=8, lasts=(1.0, 8.0), holds=_sight, rests=SIGHT_RESTS),
    "broker emptied": Kind(weight=4, lasts=(0.0, 2.0), holds=_sight, rests=SIGHT_RESTS),
    "services killed": Kind(weight=1, lasts=(0.2, 5.0), holds=lambda _: ("services",), rests=10.0),
    "service faulty": Kind(
        weight=4, lasts=(2.0, 12.0), targets=SERVICES, holds=_itself, details=FAULTY
    ),
    # messages
    "message deleted": Kind(weight=5),
    "message doubled": Kind(
        weight=5, lasts=(0.0, 40.0), details=({"fresh": True}, {"fresh": False})
    ),
    "task revoked": Kind(weight=3),
    "task terminated": Kind(
        weight=4, details=tuple({"signal": name} for name in ("SIGTERM", "SIGKILL", "SIGQUIT"))
    ),
    "order cancelled": Kind(weight=4),
}


def draw_schedule(*, seed: int, orders: int, minutes: float, pool: str, broker: str) -> Schedule:
    """Draw a run. The same arguments give the same schedule."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    span = minutes * 60.0
    placed = sorted(rng.uniform(0.0, span * ORDERS_WITHIN) for _ in range(orders))
    kinds = {name: kind for name, kind in KINDS.items() if _fits(name, kind, pool, broker)}
    return Schedule(orders=tuple(placed), faults=tuple(_draw_faults(rng, kinds, span)), lasts=span)


def _fits(name: str, kind: Kind, pool: str, broker: str) -> bool:
    # Signals reach a prefork child alone; the RabbitMQ of the harness is one server with no parts to empty.
    if name == "broker emptied" and broker != "redis":
        return False
    return pool == "prefork" or not kind.prefork_only


def _draw_faults(rng: random.Random, kinds: Mapping[str, Kind], span: float) -> list[Fault]:
    faults: list[Fault] = []
    # First what finds everything free too seldom to come up by chance: once in each two minutes.
    parts = max(1, round(span / ALL_KILLED_EVERY))
    for part in range(parts):
        at = span * (part + rng.uniform(0.1, 0.8)) / parts
        faults.append(_draw_fault(rng, ALL_KILLED, kinds[ALL_KILLED], at, span))
    at = rng.expovariate(1.0 / PACE)
    while at < span:
        name = rng.choices(list(kinds), [kind.weight for kind in kinds.values()])[0]
        fault = _draw_fault(rng, name, kinds[name], at, span)
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


def _draw_fault(rng: random.Random, name: str, kind: Kind, at: float, span: float) -> Fault:
    return Fault(
        at=round(at, 3),
        kind=name,
        target=rng.choice(kind.targets),
        lasts=round(min(rng.uniform(*kind.lasts), max(0.0, span - at)), 3),
        draw=rng.randrange(1_000_000),
        details=rng.choice(kind.details),
    )
