"""Every kind of fault, and how one is carried out."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from amends import LogUnavailable
from amends.breaker.snapshot import CircuitEvent
from demo.programs import Program
from demo.sandbox import Faults, count_charges, set_faults
from demo.servers import RedisServer, Worker
from tasks.payment import primary
from tests.chaos.circuit import FROZEN_AT_MOST, Outage
from tests.chaos.messages import find_running, ids_under_way, running_pids
from tests.chaos.queues import BrokerAway
from tests.chaos.scene import TARGET, Fault, Kind, Scene
from tests.chaos.system import WORKERS

# To wait for a moment in which a step runs.
PATIENCE = 3.0
POLL = 0.02
# Between the first worker that is back after all were killed, and the others.
OTHERS_LATER = 12.0
# What a worker logs when its breakers find Redis away, and longer than they then leave it alone at first.
LEFT_ALONE = "circuit breakers leave Redis alone"
AT_FIRST = 2.0

PRIMARY = "payments.primary"
# What is wrong with the services all the time. They are slow, so that a kill meets a step at work.
USUAL: Faults = {
    "inventory": {"latency": 0.2, "lost_reply_rate": 0.05, "lost_undo_reply_rate": 0.05},
    PRIMARY: {
        "latency": 0.3,
        "error_rate": 0.2,
        "lost_reply_rate": 0.3,
        "lost_undo_reply_rate": 0.1,
    },
    "payments.fallback": {"latency": 0.2, "lost_reply_rate": 0.1},
    "shipping": {"latency": 0.3, "lost_reply_rate": 0.05, "lost_undo_reply_rate": 0.05},
    "notifications": {"error_rate": 0.3},
}
# With outages: as good as lets its circuit be closed when one comes.
USUAL_WITH_OUTAGES: Faults = {
    **USUAL,
    PRIMARY: {**USUAL[PRIMARY], "error_rate": 0.05, "lost_reply_rate": 0.15},
}


def carry_out(scene: Scene, fault: Fault) -> bool:
    """Do what a fault says, to its end, and write down what it hit; return whether it hit anything."""
    told = {name: value for name, value in vars(fault).items() if name not in ("at", "draw")}
    scene.events.write("fault.begins", **told)
    try:
        hit = KINDS[fault.kind].act(scene, fault)
    except (BrokerAway, LogUnavailable, OperationalError, RedisError, httpx.HTTPError) as error:
        hit = None  # another fault took away what it was aimed at
        told["why"] = repr(error)
    scene.events.write("fault.done", **told, hit=hit or "nothing to hit")
    return hit is not None


def _busy(scene: Scene, worker: Worker, fault: Fault) -> list[int]:
    """Wait for a moment in which the worker runs a step, if asked to; return the pids that do, if any."""
    for _ in range(round(PATIENCE / POLL)) if fault.details["busy"] else ():
        with contextlib.suppress(LogUnavailable):
            family = {worker.pid, *worker.children} - {None}
            if busy := family & running_pids(scene.orders.open_ids()):
                return sorted(pid for pid in busy if pid is not None)
        scene.pause(POLL)
    return []


def _kill_child(scene: Scene, fault: Fault) -> str | None:
    worker = scene.system.workers[fault.target]
    children = _busy(scene, worker, fault) or worker.children
    return _kill_process(children[fault.draw % len(children)]) if children else None


def _kill_process(pid: int) -> str | None:
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


def _redeploy_worker(scene: Scene, fault: Fault) -> str:
    worker = scene.system.workers[fault.target]
    worker.stop()
    worker.start()
    return fault.target


def _freeze_worker(scene: Scene, fault: Fault) -> str:
    worker = scene.system.workers[fault.target]
    _busy(scene, worker, fault)
    return _freeze(scene, fault, worker)


def _kill_all_workers(scene: Scene, fault: Fault) -> str:
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


def _refuse_line(scene: Scene, fault: Fault) -> str:
    line = scene.system.lines[fault.target]
    line.refuse()
    scene.pause(fault.lasts)
    line.heal()
    return fault.target


def _mute_line(scene: Scene, fault: Fault) -> str:
    line = scene.system.lines[fault.target]
    before = line.lost
    line.mute()
    scene.pause(fault.lasts)
    line.heal()
    return f"{line.lost - before} answers"


def _lose_answers(scene: Scene, fault: Fault) -> str:
    scene.system.lines[fault.target].lose_answers(fault.details["count"])
    return f"{fault.details['count']} answers"


def _server(scene: Scene, fault: Fault) -> Program:
    system = scene.system
    servers = {"log": system.log, "broker": system.broker, "services": system.services}
    return servers[fault.kind.split()[0]]


def _kill_server(scene: Scene, fault: Fault) -> str:
    server = _server(scene, fault)
    server.kill()
    if fault.kind == "broker emptied" and isinstance(server, RedisServer):
        server.forget()  # as a broker without persistence does
    scene.pause(fault.lasts)
    server.start(wait=True)
    return server.name


def _freeze_server(scene: Scene, fault: Fault) -> str:
    return _freeze(scene, fault, _server(scene, fault))


def _freeze(scene: Scene, fault: Fault, program: Program) -> str:
    program.freeze()
    scene.pause(fault.lasts)
    program.thaw()
    return program.name


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


def _make_faulty(scene: Scene, fault: Fault) -> str:
    with _faulty(scene, fault):
        scene.pause(fault.lasts)
    return fault.target


def _delete_message(scene: Scene, fault: Fault) -> str | None:
    message = scene.queues.take(fault.draw)
    if message is None:
        return None
    scene.kept.append(message)
    return message.task_id


def _double_message(scene: Scene, fault: Fault) -> str | None:
    message = scene.queues.take(fault.draw)
    if message is None:
        return None
    scene.queues.put(message)
    scene.kept.append(message)
    scene.pause(fault.lasts)
    scene.queues.put(message, fresh=fault.details["fresh"])
    return message.task_id


def _revoke(scene: Scene, fault: Fault) -> str | None:
    saga_id = scene.orders.choose_open(fault.draw)
    if saga_id is None:
        return None
    ids = ids_under_way(saga_id)
    current_app.control.revoke(ids)
    return ids[-1]


def _terminate(scene: Scene, fault: Fault) -> str | None:
    """Revoke a task that runs just now, with a signal to its process."""
    for _ in range(round(PATIENCE / POLL)):
        if ids := find_running(scene.orders.open_ids(), fault.draw):
            current_app.control.revoke(ids, terminate=True, signal=fault.details["signal"])
            return ids[-1]
        scene.pause(POLL)
    return None


def _cancel(scene: Scene, fault: Fault) -> str | None:
    saga_id = scene.orders.choose_open(fault.draw)
    if saga_id is None:
        return None
    in_time = scene.orders.handles[saga_id].cancel(by="chaos", why="a customer's whim")
    return saga_id if in_time else None


def _take_primary_down(scene: Scene, fault: Fault) -> str:
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


def _kill_probe(scene: Scene, fault: Fault) -> str | None:
    """Kill the process that makes a probe, while it does."""
    until = time.monotonic() + fault.lasts
    while time.monotonic() < until and not scene.ending.is_set():
        if primary.snapshot().probes:
            return _kill_process(int(primary.history(1)[-1].by.rpartition(":")[2]))
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


ALL_KILLED = "all workers killed"
# Drawn for themselves, in a run with outages alone.
PRIMARY_DOWN = "primary down"
PROBE_KILLED = "probe killed"

# How long what was hit recovers before it is hit again: a worker boots for some seconds, and judges others only
# after 15 s of its own heartbeats. So that a dead worker is noticed at all, one of three workers is always left alone:
# at any time one may have a fault of its process and one a fault of its line.
WORKER: Mapping[str, Any] = {"targets": tuple(WORKERS), "rests": 20.0}
PROCESS: Mapping[str, Any] = {**WORKER, "holds": (TARGET, "process")}
LINE: Mapping[str, Any] = {
    **WORKER,
    "holds": (TARGET, "line"),
    "lasts": (0.2, 20.0),
    "blinds": True,
}
# An outage of the log makes every judge begin anew, and one of the broker keeps what is found from being published.
SIGHT: Mapping[str, Any] = {"holds": ("sight",), "rests": 25.0}
# Whether to wait for a moment in which a step runs there, which a blind blow seldom meets.
BUSY_OR_NOT: Sequence[Mapping[str, Any]] = ({"busy": True}, {"busy": True}, {"busy": False})
REPLIES_LOST = {"latency": 0.5, "lost_reply_rate": 1.0, "lost_undo_reply_rate": 0.3}
AWAY = ({"down": True}, REPLIES_LOST, {"latency": 0.3, "error_rate": 1.0})
FAULTY = (
    {"down": True},
    {"latency": 1.5},
    {"error_rate": 0.5},
    {"lost_reply_rate": 0.5, "lost_undo_reply_rate": 0.3},
)
SIGNALS = ({"signal": "SIGTERM"}, {"signal": "SIGKILL"}, {"signal": "SIGQUIT"})
SERVICES = ("inventory", PRIMARY, "payments.fallback", "shipping", "notifications")

# In this order a seed draws them.
KINDS: Mapping[str, Kind] = {
    "child killed": Kind(
        act=_kill_child, weight=5, targets=tuple(WORKERS), details=BUSY_OR_NOT, prefork_only=True
    ),
    "worker killed": Kind(
        act=_kill_worker, weight=10, lasts=(0.2, 8.0), details=BUSY_OR_NOT, **PROCESS
    ),
    "worker redeployed": Kind(act=_redeploy_worker, weight=4, **PROCESS),
    "worker frozen": Kind(
        act=_freeze_worker, weight=10, lasts=(3.0, FROZEN_AT_MOST), details=BUSY_OR_NOT, **PROCESS
    ),
    ALL_KILLED: Kind(
        act=_kill_all_workers,
        weight=1,
        lasts=(0.2, 4.0),
        holds=(*WORKERS, "process", "sight"),
        rests=25.0,
    ),
    "line refused": Kind(act=_refuse_line, weight=8, **LINE),
    "line muted": Kind(act=_mute_line, weight=8, **LINE),
    "answers lost": Kind(
        act=_lose_answers,
        weight=5,
        targets=tuple(WORKERS),
        details=({"count": 1}, {"count": 2}),
        blinds=True,
    ),
    "log killed": Kind(act=_kill_server, weight=8, lasts=(0.0, 4.0), blinds=True, **SIGHT),
    "log frozen": Kind(act=_freeze_server, weight=8, lasts=(1.0, 8.0), blinds=True, **SIGHT),
    "broker killed": Kind(act=_kill_server, weight=8, lasts=(0.0, 8.0), **SIGHT),
    "broker frozen": Kind(act=_freeze_server, weight=8, lasts=(1.0, 8.0), **SIGHT),
    "broker emptied": Kind(act=_kill_server, weight=4, lasts=(0.0, 2.0), **SIGHT),
    "services killed": Kind(
        act=_kill_server, weight=1, lasts=(0.2, 5.0), holds=("services",), rests=10.0, blinds=True
    ),
    "service faulty": Kind(
        act=_make_faulty,
        weight=4,
        lasts=(2.0, 12.0),
        targets=SERVICES,
        holds=(TARGET,),
        details=FAULTY,
    ),
    "message deleted": Kind(act=_delete_message, weight=5),
    "message doubled": Kind(
        act=_double_message,
        weight=5,
        lasts=(0.0, 40.0),
        details=({"fresh": True}, {"fresh": False}),
    ),
    "task revoked": Kind(act=_revoke, weight=3),
    "task terminated": Kind(act=_terminate, weight=4, details=SIGNALS),
    "order cancelled": Kind(act=_cancel, weight=4),
    PRIMARY_DOWN: Kind(
        act=_take_primary_down,
        weight=0,
        lasts=(14.0, 18.0),
        targets=(PRIMARY,),
        holds=(TARGET,),
        details=AWAY,
    ),
    # One that is killed with its whole worker keeps its place for 80 s, and later outages would show nothing.
    PROBE_KILLED: Kind(act=_kill_probe, weight=0, lasts=(18.0, 18.0), prefork_only=True),
}
