"""Faults of the primary payment for as long as its circuit breaker needs to show itself, and of the breaker's probes."""

import contextlib
import os
import signal
import time
from collections.abc import Mapping

from amends import LogUnavailable
from amends.breaker.snapshot import CircuitEvent
from tasks.payment import primary, process_payment
from tests.chaos.circuit import Limits, Outage
from tests.chaos.kinds import PRIMARY_DOWN, PROBE_KILLED
from tests.chaos.scene import PATIENCE, POLL, Act, Scene
from tests.chaos.schedule import Fault
from tests.chaos.server_faults import faulty
from tests.chaos.system import WORKERS

# What a worker logs when its breakers find Redis away, and longer than they then leave it alone at first.
LEFT_ALONE = "circuit breakers leave Redis alone"
AT_FIRST = 2.0


def _take_primary_down(scene: Scene, fault: Fault) -> str | None:
    """Count what reaches the primary while it is down: it is down before the first count, and until after the last."""
    alone = _left_alone(scene)
    scene.pause(AT_FIRST)
    with faulty(scene, fault):
        began, before = time.time(), _charges(scene, fault.target)
        scene.pause(fault.lasts)
        charges, ended = _charges(scene, fault.target) - before, time.time()
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


def _kill_probe(scene: Scene, fault: Fault) -> str | None:
    """Kill the process that makes a probe, while it does."""
    until = time.monotonic() + fault.lasts
    while time.monotonic() < until and not scene.ending.is_set():
        if primary.snapshot().probes:
            pid = int(primary.history(1)[-1].by.rpartition(":")[2])
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return f"pid {pid}"
        scene.pause(POLL)
    return None


def limits(pool: str) -> Limits:
    """Return what the primary's breaker promises, with workers that have this pool."""
    threads = max(concurrency for _, concurrency in WORKERS.values())
    return Limits(
        failure_threshold=primary.options.failure_threshold,
        reset_timeout=primary.options.reset_timeout,
        lease=process_payment.start_to_close_timeout,
        calls_at_once=threads if pool == "threads" else 1,
    )


def _transitions() -> list[CircuitEvent]:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return primary.history()
        except LogUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(POLL)


def _charges(scene: Scene, service: str) -> int:
    counts: dict[str, int] = scene.services.get("/calls").raise_for_status().json()[service]
    return counts.get("POST", 0)


def _left_alone(scene: Scene) -> int:
    logs = (worker.log.read_text(errors="replace") for worker in scene.system.workers.values())
    return sum(log.count(LEFT_ALONE) for log in logs)


ACTS: Mapping[str, Act] = {PRIMARY_DOWN: _take_primary_down, PROBE_KILLED: _kill_probe}
