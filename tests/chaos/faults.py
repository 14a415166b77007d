"""How each fault but those of the services is done. Each act returns what it hit, or None if it found nothing to hit."""

import contextlib
import os
import signal
from collections.abc import Callable
from typing import TypeVar, cast

from celery import current_app

from amends import LogUnavailable
from demo.programs import Program
from demo.servers import RedisServer, Worker
from tests.chaos.messages import find_running, ids_under_way, running_pids
from tests.chaos.scene import Fault, Scene
from tests.support.redis_clusters import Node, OwnCluster
from tests.support.redis_sentinels import Watched

# To wait for a moment in which a step runs.
PATIENCE = 3.0
POLL = 0.02
# Between the first worker that is back after all were killed, and the others.
OTHERS_LATER = 12.0
T = TypeVar("T")


def _busy(scene: Scene, worker: Worker, fault: Fault) -> list[int]:
    """Wait for a moment in which the worker runs a step, if asked to; return the pids that do, if any."""

    def look() -> list[int]:
        family = {worker.pid or 0, *worker.children}
        return sorted(family & running_pids(scene.orders.open_ids()))

    return _await(scene, look) if fault.details["busy"] else []


def _await(scene: Scene, look: Callable[[], list[T]]) -> list[T]:
    """Look until something is found, for a while."""
    for _ in range(round(PATIENCE / POLL)):
        with contextlib.suppress(LogUnavailable):
            if found := look():
                return found
        scene.pause(POLL)
    return []


def kill_child(scene: Scene, fault: Fault) -> str | None:
    worker = scene.system.workers[fault.target]
    children = _busy(scene, worker, fault) or worker.children
    return kill_process(children[fault.draw % len(children)]) if children else None


def kill_process(pid: int) -> str | None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return f"pid {pid}"
    return None


def kill_worker(scene: Scene, fault: Fault) -> str | None:
    worker = scene.system.workers[fault.target]
    pid = worker.pid
    _busy(scene, worker, fault)
    worker.kill()
    scene.pause(fault.lasts)
    worker.start()
    return None if pid is None else f"pid {pid}"


def redeploy_worker(scene: Scene, fault: Fault) -> str:
    worker = scene.system.workers[fault.target]
    worker.stop()
    worker.start()
    return fault.target


def freeze_worker(scene: Scene, fault: Fault) -> str:
    worker = scene.system.workers[fault.target]
    _busy(scene, worker, fault)
    return _freeze(scene, fault, worker)


def kill_all_workers(scene: Scene, fault: Fault) -> str:
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


def refuse_line(scene: Scene, fault: Fault) -> str:
    line = scene.system.lines[fault.target]
    line.refuse()
    scene.pause(fault.lasts)
    line.heal()
    return fault.target


def mute_line(scene: Scene, fault: Fault) -> str:
    line = scene.system.lines[fault.target]
    before = line.lost
    line.mute()
    scene.pause(fault.lasts)
    line.heal()
    return f"{line.lost - before} answers"


def lose_answers(scene: Scene, fault: Fault) -> str:
    scene.system.lines[fault.target].lose_answers(fault.details["count"])
    return f"{fault.details['count']} answers"


def _place(scene: Scene, fault: Fault) -> Program | OwnCluster | Watched:
    system = scene.system
    places = {"log": system.log, "broker": system.broker, "services": system.services}
    return cast("Program | OwnCluster | Watched", places[fault.kind.split()[0]])


def _server(scene: Scene, fault: Fault) -> Program:
    """Return the program to strike: of several servers, one of those that have the data."""
    place = _place(scene, fault)
    if isinstance(place, Program):
        return place
    owners = place.owners()
    return owners[fault.draw % len(owners)]


def kill_server(scene: Scene, fault: Fault) -> str:
    server = _server(scene, fault)
    server.kill()
    if fault.kind == "broker emptied" and isinstance(server, RedisServer):
        server.forget()  # as a broker without persistence does
    scene.pause(fault.lasts)
    server.start(wait=True)
    return server.name


def hand_over(scene: Scene, fault: Fault) -> str | None:
    """Let a replica take the place of a primary."""
    node, place = _server(scene, fault), _place(scene, fault)
    if isinstance(place, Watched):
        return f"{node.name} to {place.hand_over(place.primary).name}"
    if not isinstance(place, OwnCluster) or not isinstance(node, Node):
        return None
    return f"{node.name} to {place.hand_over(node).name}"


def move_slot(scene: Scene, fault: Fault) -> str | None:
    """Move the slot of some key to another primary, and leave it in between for a while."""
    node, log = _server(scene, fault), scene.system.log
    if not isinstance(log, OwnCluster) or not isinstance(node, Node):
        return None
    key = node.client.randomkey()
    others = [each for each in log.owners() if each is not node]
    if key is None or not others:
        return None
    target = others[fault.draw % len(others)]
    with log.moving(key, node, target):
        scene.pause(fault.lasts)
    return f"{key}, {node.name} to {target.name}"


def freeze_server(scene: Scene, fault: Fault) -> str:
    return _freeze(scene, fault, _server(scene, fault))


def _freeze(scene: Scene, fault: Fault, program: Program) -> str:
    program.freeze()
    scene.pause(fault.lasts)
    program.thaw()
    return program.name


def delete_message(scene: Scene, fault: Fault) -> str | None:
    message = scene.queues.take(fault.draw)
    if message is None:
        return None
    scene.kept.append(message)
    return message.task_id


def double_message(scene: Scene, fault: Fault) -> str | None:
    message = scene.queues.take(fault.draw)
    if message is None:
        return None
    scene.queues.put(message)
    scene.kept.append(message)
    scene.pause(fault.lasts)
    scene.queues.put(message, fresh=fault.details["fresh"])
    return message.task_id


def revoke(scene: Scene, fault: Fault) -> str | None:
    saga_id = scene.orders.choose_open(fault.draw)
    if saga_id is None:
        return None
    ids = ids_under_way(saga_id)
    current_app.control.revoke(ids)
    return ids[-1]


def terminate(scene: Scene, fault: Fault) -> str | None:
    """Revoke a task that runs just now, with a signal to its process."""
    ids = _await(scene, lambda: find_running(scene.orders.open_ids(), fault.draw))
    if not ids:
        return None
    current_app.control.revoke(ids, terminate=True, signal=fault.details["signal"])
    return ids[-1]


def cancel(scene: Scene, fault: Fault) -> str | None:
    saga_id = scene.orders.choose_open(fault.draw)
    if saga_id is None:
        return None
    in_time = scene.orders.handles[saga_id].cancel(by="chaos", why="a customer's whim")
    return saga_id if in_time else None
