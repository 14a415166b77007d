"""What each kind of fault does to the system."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from amends import LogUnavailable
from chaos.event_log import EventLog
from chaos.messages import find_running, ids_under_way
from chaos.orders import Orders
from chaos.queues import BrokerAway, Message, Queues
from chaos.schedule import Fault
from chaos.system import RedisServer, System
from local.sandbox import FAULTS

NOTHING = "nothing to hit"
# Between the first worker that is back after all were killed, and the others.
OTHERS_LATER = 12.0
# To find a step that is running just now.
PATIENCE = 3.0
POLL = 0.02


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a fault may act on. `ending` is set when the run is over, and every wait ends with it.

    `kept` are messages that were taken, to be delivered when everything is over.
    """

    system: System
    orders: Orders
    queues: Queues
    services: httpx.Client
    app: Celery
    events: EventLog
    ending: threading.Event
    kept: list[Message]

    def pause(self, seconds: float) -> None:
        """Wait so long, or until the run is over."""
        self.ending.wait(seconds)


Act = Callable[[Scene, Fault], str | None]
ACTS: dict[str, Act] = {}


def carry_out(scene: Scene, fault: Fault) -> bool:
    """Do what a fault says, to its end, and write down what it hit; return whether it hit anything."""
    what: Mapping[str, object] = {
        "kind": fault.kind,
        "target": fault.target,
        "lasts": fault.lasts,
        "details": fault.details,
    }
    scene.events.write("fault.begins", **what)
    try:
        hit = ACTS[fault.kind](scene, fault)
    except (BrokerAway, LogUnavailable, OperationalError, RedisError, httpx.HTTPError) as error:
        hit = None  # something else took away what it was aimed at
        scene.events.write("fault.missed", kind=fault.kind, why=repr(error))
    scene.events.write("fault.done", **what, hit=NOTHING if hit is None else hit)
    return hit is not None


def _act(kind: str) -> Callable[[Act], Act]:
    def register(act: Act) -> Act:
        ACTS[kind] = act
        return act

    return register


# Workers


@_act("child killed")
def _kill_child(scene: Scene, fault: Fault) -> str | None:
    children = scene.system.workers[fault.target].children
    if not children:
        return None
    pid = children[fault.draw % len(children)]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return f"pid {pid}"
    return None


@_act("worker killed")
def _kill_worker(scene: Scene, fault: Fault) -> str | None:
    worker = scene.system.workers[fault.target]
    pid = worker.pid
    worker.kill()
    scene.pause(fault.lasts)
    worker.start()
    return None if pid is None else f"pid {pid}"


@_act("worker redeployed")
def _redeploy_worker(scene: Scene, fault: Fault) -> str | None:
    worker = scene.system.workers[fault.target]
    worker.stop()
    worker.start()
    return fault.target


@_act("worker frozen")
def _freeze_worker(scene: Scene, fault: Fault) -> str | None:
    worker = scene.system.workers[fault.target]
    worker.freeze()
    scene.pause(fault.lasts)
    worker.thaw()
    return fault.target


@_act("all workers killed")
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


# The log, the broker and the services


@_act("log killed")
def _kill_log(scene: Scene, fault: Fault) -> str | None:
    return _kill_server(scene, scene.system.log, fault)


@_act("broker killed")
def _kill_broker(scene: Scene, fault: Fault) -> str | None:
    return _kill_server(scene, scene.system.broker, fault)


def _kill_server(scene: Scene, server: RedisServer, fault: Fault) -> str | None:
    server.kill()
    scene.pause(fault.lasts)
    server.start(wait=True)
    return server.name


@_act("log frozen")
def _freeze_log(scene: Scene, fault: Fault) -> str | None:
    return _freeze_server(scene, scene.system.log, fault)


@_act("broker frozen")
def _freeze_broker(scene: Scene, fault: Fault) -> str | None:
    return _freeze_server(scene, scene.system.broker, fault)


def _freeze_server(scene: Scene, server: RedisServer, fault: Fault) -> str | None:
    server.freeze()
    scene.pause(fault.lasts)
    server.thaw()
    return server.name


@_act("broker emptied")
def _empty_broker(scene: Scene, fault: Fault) -> str | None:
    """Kill the broker and lose all that it had, as one without persistence does."""
    broker = scene.system.broker
    broker.kill()
    broker.forget()
    scene.pause(fault.lasts)
    broker.start(wait=True)
    return broker.name


@_act("services killed")
def _kill_services(scene: Scene, fault: Fault) -> str | None:
    scene.system.services.kill()
    scene.pause(fault.lasts)
    scene.system.services.start(wait=True)
    return "services"


@_act("service faulty")
def _make_faulty(scene: Scene, fault: Fault) -> str | None:
    usual = FAULTS.get(fault.target, {})
    scene.services.put(
        f"/faults/{fault.target}", json={**usual, **fault.details}
    ).raise_for_status()
    scene.pause(fault.lasts)
    while not scene.ending.is_set():
        with contextlib.suppress(httpx.HTTPError):
            scene.services.put(f"/faults/{fault.target}", json=usual).raise_for_status()
            break
        scene.pause(0.2)
    return fault.target


# The way to the log


@_act("line refused")
def _refuse_line(scene: Scene, fault: Fault) -> str | None:
    line = scene.system.workers[fault.target].line
    line.refuse()
    scene.pause(fault.lasts)
    line.heal()
    return fault.target


@_act("line muted")
def _mute_line(scene: Scene, fault: Fault) -> str | None:
    line = scene.system.workers[fault.target].line
    before = line.lost
    line.mute()
    scene.pause(fault.lasts)
    line.heal()
    return f"{line.lost - before} answers"


@_act("answers lost")
def _lose_answers(scene: Scene, fault: Fault) -> str | None:
    count = int(str(fault.details["count"]))
    scene.system.workers[fault.target].line.lose_answers(count)
    return f"{count} answers"


# Messages


@_act("message deleted")
def _delete_message(scene: Scene, fault: Fault) -> str | None:
    message = scene.queues.take(fault.draw)
    if message is None:
        return None
    scene.kept.append(message)
    return message.task_id


@_act("message doubled")
def _double_message(scene: Scene, fault: Fault) -> str | None:
    message = scene.queues.take(fault.draw)
    if message is None:
        return None
    scene.queues.put(message)
    scene.kept.append(message)
    scene.pause(fault.lasts)
    scene.queues.put(message, fresh=bool(fault.details["fresh"]))
    return message.task_id


@_act("task revoked")
def _revoke(scene: Scene, fault: Fault) -> str | None:
    saga_id = scene.orders.choose_open(fault.draw)
    if saga_id is None:
        return None
    ids = ids_under_way(saga_id)
    scene.app.control.revoke(ids)
    return ids[-1]


@_act("task terminated")
def _terminate(scene: Scene, fault: Fault) -> str | None:
    """Revoke a task that runs just now, with a signal to its process."""
    for _ in range(round(PATIENCE / POLL)):
        ids = find_running(scene.orders.open_ids())
        if ids:
            scene.app.control.revoke(ids, terminate=True, signal=str(fault.details["signal"]))
            return ids[-1]
        scene.pause(POLL)
    return None


@_act("order cancelled")
def _cancel(scene: Scene, fault: Fault) -> str | None:
    saga_id = scene.orders.choose_open(fault.draw)
    if saga_id is None:
        return None
    in_time = scene.orders.handles[saga_id].cancel(by="chaos", why="a customer's whim")
    return saga_id if in_time else None
