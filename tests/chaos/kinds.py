"""Every kind of fault: how often it is drawn, how long it lasts, and what recovers from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.system import WORKERS

# How long what was hit recovers before it is hit again: a worker boots for some seconds, and judges others only
# after 15 s of its own heartbeats. So that a dead worker is noticed at all, one of three workers is always left alone:
# at any time one may have a fault of its process and one a fault of its line.
WORKER_RESTS = 20.0
# An outage of the log makes every judge begin anew, and one of the broker keeps what is found from being published.
SIGHT_RESTS = 25.0

ALL_KILLED = "all workers killed"
ALL_KILLED_EVERY = 120.0

# What a run with outages is about.
PRIMARY_DOWN = "primary down"
PRIMARY_DOWN_EVERY = 30.0
PRIMARY_DOWN_AFTER = (3.0, 8.0)
PROBE_KILLED = "probe killed"
PROBE_KILLED_EVERY = 120.0

FAULTY: Sequence[Mapping[str, object]] = (
    {"down": True},
    {"latency": 1.5},
    {"error_rate": 0.5},
    {"lost_reply_rate": 0.5, "lost_undo_reply_rate": 0.3},
)
REPLIES_LOST: Mapping[str, object] = {
    "latency": 0.5,
    "lost_reply_rate": 1.0,
    "lost_undo_reply_rate": 0.3,
}
AWAY: Sequence[Mapping[str, object]] = (
    {"down": True},
    REPLIES_LOST,
    {"latency": 0.3, "error_rate": 1.0},
)
PRIMARY = "payments.primary"
SERVICES = ("inventory", PRIMARY, "payments.fallback", "shipping", "notifications")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How often a kind of fault is drawn, and what it takes hold of until that has recovered.

    `holds` names that for a target; `rests` is the seconds it needs afterwards. `lasts` is from, to.
    What `blinds` takes away the breakers' Redis, or the services' counts: each process then counts alone,
    and nobody could say what reached a service.
    """

    weight: float
    lasts: tuple[float, float] = (0.0, 0.0)
    targets: Sequence[str] = ("",)
    holds: Callable[[str], Sequence[str]] = lambda _target: ()
    rests: float = 0.0
    details: Sequence[Mapping[str, object]] = ({},)
    prefork_only: bool = False
    blinds: bool = False


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
        weight=8, lasts=(0.2, 20.0), targets=NAMES, holds=_line, rests=WORKER_RESTS, blinds=True
    ),
    "line muted": Kind(
        weight=8, lasts=(0.2, 20.0), targets=NAMES, holds=_line, rests=WORKER_RESTS, blinds=True
    ),
    "answers lost": Kind(
        weight=5, targets=NAMES, details=({"count": 1}, {"count": 2}), blinds=True
    ),
    # servers
    "log killed": Kind(weight=8, lasts=(0.0, 4.0), holds=_sight, rests=SIGHT_RESTS, blinds=True),
    "log frozen": Kind(weight=8, lasts=(1.0, 8.0), holds=_sight, rests=SIGHT_RESTS, blinds=True),
    "broker killed": Kind(weight=8, lasts=(0.0, 8.0), holds=_sight, rests=SIGHT_RESTS),
    "broker frozen": Kind(weight=8, lasts=(1.0, 8.0), holds=_sight, rests=SIGHT_RESTS),
    "broker emptied": Kind(weight=4, lasts=(0.0, 2.0), holds=_sight, rests=SIGHT_RESTS),
    "services killed": Kind(
        weight=1, lasts=(0.2, 5.0), holds=lambda _: ("services",), rests=10.0, blinds=True
    ),
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
    # drawn for themselves, in a run with outages alone
    PRIMARY_DOWN: Kind(
        weight=0, lasts=(14.0, 18.0), targets=(PRIMARY,), holds=_itself, details=AWAY
    ),
    # One that is killed with its whole worker keeps its place for 80 s, and later outages would show nothing.
    PROBE_KILLED: Kind(weight=0, lasts=(18.0, 18.0), prefork_only=True),
}
