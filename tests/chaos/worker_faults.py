"""Faults of the workers: killed, frozen, cut off from the log."""

import contextlib
import os
import signal
from collections.abc import Mapping

from amends import LogUnavailable
from tests.chaos.messages import running_pids
from tests.chaos.scene import PATIENCE, POLL, Act, Scene
from tests.chaos.schedule import Fault
from tests.chaos.system import Worker

# Between the first worker that is back after all were killed, and the others.
OTHERS_LATER = 12.0


def _busy(scene: Scene, worker: Worker, fault: Fault) -> list[int]:
    """Wait for a moment in which the worker runs a step, if asked to; return the pids that do, if any."""
    for _ in range(round(PATIENCE / POLL)) if fault.details["busy"] else ():
        with contextlib.suppress(LogUnavailable):
            family = {worker.pid, *worker.children}
            if busy := family & running_pids(scene.orders.open_ids()):
                return sorted(pid for pid in busy if pid is not None)
        scene.pause(POLL)
    return []


def _kill_child(scene: Scene, fault: Fault) -> str | None:
    worker = scene.system.workers[fault.target]
    children = _busy(scene, worker, fault) or worker.children
    if not children:
        return None
    pid = children[fault.draw % len(children)]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return f"pid {pid}"
    return None


def _kill_worker(scene: Scene, fault: Fault) -> str | None:
    worker = scene.system.workers[fault.target]
    pid = worker.pid
    _busy(scene, worker, fault)
    worker.kill()
    scene.pause(fault.lasts)
    worker.start()
    return None if pid is None else f"pid {pid}"


def _redeploy_worker(scene: Scene, fault: Fault) -> str | None:
    worker = scene.system.workers[fault.target]
    worker.stop()
    worker.start()
    return fault.target


def _freeze_worker(scene: Scene, fault: Fault) -> str | None:
    worker = scene.system.workers[fault.target]
    _busy(scene, worker, fault)
    worker.freeze()
    scene.pause(fault.lasts)
    worker.thaw()
    return fault.target


def _kill_all_workers(scene: Scene, fault: Fault) -> str | None:
    workers = list(scene.system.workers.values())
    for worker in workers:
        worker.kill()
    scene.pause(fault.lasts)
    first = workers.pop(fault.draw % 2)  # one that consumes every queue
    first.start()
    scene.pause(OTHERS_LATER)
    for worker in workers:
        worker.start()
    return f"{first.name} came back first"


def _refuse_line(scene: Scene, fault: Fault) -> str | None:
    line = scene.system.workers[fault.target].line
    line.refuse()
    scene.pause(fault.lasts)
    line.heal()
    return fault.target


def _mute_line(scene: Scene, fault: Fault) -> str | None:
    line = scene.system.workers[fault.target].line
    before = line.lost
    line.mute()
    scene.pause(fault.lasts)
    line.heal()
    return f"{line.lost - before} answers"


def _lose_answers(scene: Scene, fault: Fault) -> str | None:
    count = int(str(fault.details["count"]))
    scene.system.workers[fault.target].line.lose_answers(count)
    return f"{count} answers"


ACTS: Mapping[str, Act] = {
    "child killed": _kill_child,
    "worker killed": _kill_worker,
    "worker redeployed": _redeploy_worker,
    "worker frozen": _freeze_worker,
    "all workers killed": _kill_all_workers,
    "line refused": _refuse_line,
    "line muted": _mute_line,
    "answers lost": _lose_answers,
}
