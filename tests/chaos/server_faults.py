"""Faults of the log, the broker and the services."""

import contextlib
from collections.abc import Iterator, Mapping

import httpx

from tests.chaos.scene import Act, Scene
from tests.chaos.schedule import Fault
from tests.chaos.system import RabbitServer, RedisServer

# What is wrong with the services all the time. They are slow, so that a kill meets a step at work.
USUAL: Mapping[str, Mapping[str, float]] = {
    "inventory": {"latency": 0.2, "lost_reply_rate": 0.05, "lost_undo_reply_rate": 0.05},
    "payments.primary": {
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
USUAL_WITH_OUTAGES: Mapping[str, Mapping[str, float]] = {
    **USUAL,
    "payments.primary": {
        "latency": 0.3,
        "error_rate": 0.05,
        "lost_reply_rate": 0.15,
        "lost_undo_reply_rate": 0.1,
    },
}


def _kill_log(scene: Scene, fault: Fault) -> str | None:
    return _kill_server(scene, scene.system.log, fault)


def _kill_broker(scene: Scene, fault: Fault) -> str | None:
    return _kill_server(scene, scene.system.broker, fault)


def _kill_server(scene: Scene, server: RedisServer | RabbitServer, fault: Fault) -> str | None:
    server.kill()
    scene.pause(fault.lasts)
    server.start(wait=True)
    return server.name


def _freeze_log(scene: Scene, fault: Fault) -> str | None:
    return _freeze_server(scene, scene.system.log, fault)


def _freeze_broker(scene: Scene, fault: Fault) -> str | None:
    return _freeze_server(scene, scene.system.broker, fault)


def _freeze_server(scene: Scene, server: RedisServer | RabbitServer, fault: Fault) -> str | None:
    server.freeze()
    scene.pause(fault.lasts)
    server.thaw()
    return server.name


def _empty_broker(scene: Scene, fault: Fault) -> str | None:
    """Kill the broker and lose all that it had, as one without persistence does."""
    broker = scene.system.broker
    if not isinstance(broker, RedisServer):
        return None
    broker.kill()
    broker.forget()
    scene.pause(fault.lasts)
    broker.start(wait=True)
    return broker.name


def _kill_services(scene: Scene, fault: Fault) -> str | None:
    scene.system.services.kill()
    scene.pause(fault.lasts)
    scene.system.services.start(wait=True)
    return "services"


def _make_faulty(scene: Scene, fault: Fault) -> str | None:
    with faulty(scene, fault):
        scene.pause(fault.lasts)
    return fault.target


@contextlib.contextmanager
def faulty(scene: Scene, fault: Fault) -> Iterator[None]:
    """Have the service that is the fault's target in worse faults than its usual ones."""
    usual, path = scene.usual.get(fault.target, {}), f"/faults/{fault.target}"
    scene.services.put(path, json={**usual, **fault.details}).raise_for_status()
    try:
        yield
    finally:
        while not scene.ending.is_set():
            with contextlib.suppress(httpx.HTTPError):
                scene.services.put(path, json=usual).raise_for_status()
                break
            scene.pause(0.2)


ACTS: Mapping[str, Act] = {
    "log killed": _kill_log,
    "broker killed": _kill_broker,
    "log frozen": _freeze_log,
    "broker frozen": _freeze_broker,
    "broker emptied": _empty_broker,
    "services killed": _kill_services,
    "service faulty": _make_faulty,
}
