"""Faults of messages: deleted, doubled, revoked; and customers who change their minds."""

from collections.abc import Mapping

from tests.chaos.messages import find_running, ids_under_way
from tests.chaos.scene import PATIENCE, POLL, Act, Scene
from tests.chaos.schedule import Fault


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
    scene.queues.put(message, fresh=bool(fault.details["fresh"]))
    return message.task_id


def _revoke(scene: Scene, fault: Fault) -> str | None:
    saga_id = scene.orders.choose_open(fault.draw)
    if saga_id is None:
        return None
    ids = ids_under_way(saga_id)
    scene.app.control.revoke(ids)
    return ids[-1]


def _terminate(scene: Scene, fault: Fault) -> str | None:
    """Revoke a task that runs just now, with a signal to its process."""
    for _ in range(round(PATIENCE / POLL)):
        ids = find_running(scene.orders.open_ids(), fault.draw)
        if ids:
            scene.app.control.revoke(ids, terminate=True, signal=str(fault.details["signal"]))
            return ids[-1]
        scene.pause(POLL)
    return None


def _cancel(scene: Scene, fault: Fault) -> str | None:
    saga_id = scene.orders.choose_open(fault.draw)
    if saga_id is None:
        return None
    in_time = scene.orders.handles[saga_id].cancel(by="chaos", why="a customer's whim")
    return saga_id if in_time else None


ACTS: Mapping[str, Act] = {
    "message deleted": _delete_message,
    "message doubled": _double_message,
    "task revoked": _revoke,
    "task terminated": _terminate,
    "order cancelled": _cancel,
}
