"""Every kind of fault, and how one is carried out."""

from collections.abc import Mapping

import httpx
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from amends import LogUnavailable
from tests.chaos import message_faults, outages, server_faults, worker_faults
from tests.chaos.queues import BrokerAway
from tests.chaos.scene import Act, Scene
from tests.chaos.schedule import Fault

NOTHING = "nothing to hit"
ACTS: Mapping[str, Act] = {
    **worker_faults.ACTS,
    **server_faults.ACTS,
    **message_faults.ACTS,
    **outages.ACTS,
}


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
