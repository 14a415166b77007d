"""Faults of the services, and of the circuit breaker's probes: acts as in :mod:`tests.chaos.faults`."""

import contextlib
import time
from collections.abc import Iterator, Sequence

import httpx

from amends import LogUnavailable
from amends.breaker.snapshot import CircuitEvent
from demo.sandbox import count_charges, set_faults
from tasks.payment import primary
from tests.chaos.circuit import Outage
from tests.chaos.faults import PATIENCE, POLL, kill_process
from tests.chaos.scene import Fault, Scene

PRIMARY = "payments.primary"
# What a worker logs when its breakers find Redis away, and longer than they then leave it alone at first.
LEFT_ALONE = "; it is left alone for"
AT_FIRST = 2.0


@contextlib.contextmanager
def _faulty(scene: Scene, fault: Fault) -> Iterator[None]:
    """Have the service that is the fault's target in worse faults than its usual ones."""
    usual = scene.usual.get(fault.target, {})
    set_faults(scene.services, fault.target, {**usual, **fault.details})
    try:
        yield
    finally:
        while not scene.ending.is_set():
            with contextlib.suppress(httpx.HTTPError):
                set_faults(scene.services, fault.target, usual)
                break
            scene.pause(0.2)


def make_faulty(scene: Scene, fault: Fault) -> str:
    with _faulty(scene, fault):
        scene.pause(fault.lasts)
    return fault.target


def take_primary_down(scene: Scene, fault: Fault) -> str:
    """Count the charges that reach the primary while it is down: from before the first count to after the last."""
    alone = _left_alone(scene)
    scene.pause(AT_FIRST)
    with _faulty(scene, fault):
        began, before = time.time(), count_charges(scene.services)[PRIMARY]
        scene.pause(fault.lasts)
        charges, ended = count_charges(scene.services)[PRIMARY] - before, time.time()
    outage = Outage(
        faults=fault.details,
        began=began,
        ended=ended,
        charges=charges,
        left_alone=_left_alone(scene) - alone,
        transitions=_transitions(),
    )
    scene.outages.append(outage)
    scene.events.write(
        "outage", **{**vars(outage), "transitions": [*map(vars, outage.transitions)]}
    )
    return f"{charges} charges reached {fault.target}"


def kill_probe(scene: Scene, fault: Fault) -> str | None:
    """Kill the process that makes a probe, while it does."""
    until = time.monotonic() + fault.lasts
    while time.monotonic() < until and not scene.ending.is_set():
        if primary.snapshot().probes:
            return kill_process(int(primary.history(1)[-1].by.rpartition(":")[2]))
        scene.pause(POLL)
    return None


def _transitions() -> Sequence[CircuitEvent]:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return primary.history()
        except LogUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(POLL)


def _left_alone(scene: Scene) -> int:
    logs = (worker.log.read_text(errors="replace") for worker in scene.system.workers.values())
    return sum(log.count(LEFT_ALONE) for log in logs)
