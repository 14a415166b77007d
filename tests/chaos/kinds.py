"""Every kind of fault: how often it is drawn, how long it lasts, and what recovers from it."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from amends import ActRefused, LogUnavailable, UnknownSaga
from demo.sandbox import Faults
from tests.chaos import faults, service_faults
from tests.chaos.brokers import BROKERS
from tests.chaos.circuit import FROZEN_AT_MOST
from tests.chaos.queues import BrokerAway
from tests.chaos.scene import TARGET, Fault, Kind, Scene
from tests.chaos.service_faults import PRIMARY
from tests.chaos.system import WORKERS

ALL_KILLED = "all workers killed"
# Drawn for themselves, in a run with outages alone.
PRIMARY_DOWN = "primary down"
PROBE_KILLED = "probe killed"

# What is wrong with the services all the time. They are slow, so that a kill meets a step at work.
REFUNDS = {"lost_undo_reply_rate": 0.1}
USUAL: Faults = {
    "inventory": {"latency": 0.2, "lost_reply_rate": 0.05, "lost_undo_reply_rate": 0.05},
    PRIMARY: {"latency": 0.3, "error_rate": 0.2, "lost_reply_rate": 0.3, **REFUNDS},
    "payments.fallback": {"latency": 0.2, "lost_reply_rate": 0.1},
    "shipping": {"latency": 0.3, "lost_reply_rate": 0.05, "lost_undo_reply_rate": 0.05},
    "notifications": {"error_rate": 0.3},
}
# For fulfilments alone.
AUTHORIZATIONS, CAPTURES, INVOICES = "bank.authorizations", "bank.captures", "invoices"
OF_FULFILMENTS: Faults = {
    INVOICES: {"latency": 0.2, "lost_reply_rate": 0.2, "lost_undo_reply_rate": 0.2},
    AUTHORIZATIONS: {"latency": 0.2, "lost_reply_rate": 0.1, "lost_undo_reply_rate": 0.1},
    CAPTURES: {"latency": 0.3, "error_rate": 0.2, "lost_reply_rate": 0.3},
}
# With outages: as good as lets its circuit be closed when one comes.
USUAL_WITH_OUTAGES: Faults = {
    **USUAL,
    PRIMARY: {**USUAL[PRIMARY], "error_rate": 0.05, "lost_reply_rate": 0.15},
}

Details = Sequence[Mapping[str, Any]]
REPLIES_LOST = {"latency": 0.5, "lost_reply_rate": 1.0, "lost_undo_reply_rate": 0.3}
AWAY: Details = ({"down": True}, REPLIES_LOST, {"latency": 0.3, "error_rate": 1.0})
MUTE = {"lost_reply_rate": 0.5, "lost_undo_reply_rate": 0.3}
FAULTY: Details = ({"down": True}, {"latency": 1.5}, {"error_rate": 0.5}, MUTE)
SIGNALS: Details = ({"signal": "SIGTERM"}, {"signal": "SIGKILL"}, {"signal": "SIGQUIT"})
FRESH_OR_NOT: Details = ({"fresh": True}, {"fresh": False})
# Whether to wait for a moment in which a step runs there, which a blind blow seldom meets.
BUSY_OR_NOT: Details = ({"busy": True}, {"busy": True}, {"busy": False})
SERVICES = ("inventory", PRIMARY, "payments.fallback", "shipping", "notifications")

Common = Mapping[str, Any]
# Only a prefork pool has children to kill.
OF_CHILDREN: Common = {"pools": ("prefork",)}
# How long what was hit recovers before it is hit again: a worker boots for some seconds, and judges others only
# after 15 s of its own heartbeats. So that a dead worker is noticed at all, one of three workers is always left alone:
# at any time one may have a fault of its process and one a fault of its line.
WORKER: Common = {"targets": tuple(WORKERS)}
PROCESS: Common = {**WORKER, "holds": (TARGET, "process"), "rests": 20.0}
AT_WORK: Common = {**PROCESS, "details": BUSY_OR_NOT}
LINE: Common = {
    **WORKER,
    "logs": ("redis",),
    "holds": (TARGET, "line"),
    "rests": 20.0,
    "blinds": True,
}
# An outage of the log makes every judge begin anew, and one of the broker keeps what is found from being published.
SIGHT: Common = {"holds": ("sight",), "rests": 25.0}
LOG: Common = {**SIGHT, "blinds": True}
# The log's own Redis is struck as the log.
BROKER: Common = {**SIGHT, "brokers": [each for each in BROKERS if each != "redis-log"]}
EVERYTHING: Common = {"holds": (*WORKERS, "process", "sight"), "rests": 25.0}
ONE_SERVICE: Common = {"holds": (TARGET,)}
ALL_SERVICES: Common = {"holds": ("services",), "rests": 10.0, "blinds": True}
CHILD: Common = {**WORKER, "details": BUSY_OR_NOT, **OF_CHILDREN}
ANSWERS: Common = {
    **WORKER,
    "logs": ("redis",),
    "details": ({"count": 1}, {"count": 2}),
    "blinds": True,
}

# A seed draws them in this order.
KINDS: Mapping[str, Kind] = {
    "child killed": Kind(faults.kill_child, 5, **CHILD),
    "worker killed": Kind(faults.kill_worker, 10, (0.2, 8.0), **AT_WORK),
    "worker redeployed": Kind(faults.redeploy_worker, 4, **PROCESS),
    "worker frozen": Kind(faults.freeze_worker, 10, (3.0, FROZEN_AT_MOST), **AT_WORK),
    ALL_KILLED: Kind(faults.kill_all_workers, 1, (0.2, 4.0), **EVERYTHING),
    "line refused": Kind(faults.refuse_line, 8, (0.2, 20.0), **LINE),
    "line muted": Kind(faults.mute_line, 8, (0.2, 20.0), **LINE),
    "answers lost": Kind(faults.lose_answers, 5, **ANSWERS),
    "log killed": Kind(faults.kill_server, 8, (0.0, 4.0), **LOG),
    "log frozen": Kind(faults.freeze_server, 8, (1.0, 8.0), **LOG),
    "log handed over": Kind(faults.hand_over, 8, logs=("cluster", "sentinel"), **LOG),
    "log slot moved": Kind(faults.move_slot, 8, (0.0, 2.0), logs=("cluster",), **LOG),
    "broker killed": Kind(faults.kill_server, 8, (0.0, 8.0), **BROKER),
    "broker frozen": Kind(faults.freeze_server, 8, (1.0, 8.0), **BROKER),
    # A RabbitMQ has no parts to empty, and a replica keeps what a primary forgets.
    "broker emptied": Kind(
        faults.kill_server, 4, (0.0, 2.0), **{**SIGHT, "brokers": ("redis", "redis-options")}
    ),
    "broker handed over": Kind(faults.hand_over, 8, **{**SIGHT, "brokers": ("redis-sentinel",)}),
    "services killed": Kind(faults.kill_server, 1, (0.2, 5.0), **ALL_SERVICES),
    "service faulty": Kind(
        service_faults.make_faulty, 4, (2.0, 12.0), targets=SERVICES, details=FAULTY, **ONE_SERVICE
    ),
    "bank faulty": Kind(
        service_faults.make_faulty,
        4,
        (2.0, 12.0),
        targets=(AUTHORIZATIONS, CAPTURES, INVOICES),
        details=FAULTY,
        sagas=("fulfilment",),
        **ONE_SERVICE,
    ),
    "message deleted": Kind(faults.delete_message, 5),
    "message doubled": Kind(faults.double_message, 5, (0.0, 40.0), details=FRESH_OR_NOT),
    "task revoked": Kind(faults.revoke, 3),
    # A solo worker hears of it when its task has ended.
    "task terminated": Kind(
        faults.terminate, 4, details=SIGNALS, pools=("prefork", "threads", "gevent")
    ),
    "order cancelled": Kind(faults.cancel, 4),
    PRIMARY_DOWN: Kind(
        service_faults.take_primary_down,
        0,
        (14.0, 18.0),
        targets=(PRIMARY,),
        details=AWAY,
        **ONE_SERVICE,
    ),
    # One that is killed with its whole worker keeps its place for 80 s, and later outages would show nothing.
    PROBE_KILLED: Kind(service_faults.kill_probe, 0, (18.0, 18.0), **OF_CHILDREN),
}


def carry_out(scene: Scene, fault: Fault) -> bool:
    """Do what a fault says, to its end, and write down what it hit; return whether it hit anything."""
    told = {name: value for name, value in vars(fault).items() if name not in ("at", "draw")}
    scene.events.write("fault.begins", **told)
    try:
        hit = KINDS[fault.kind].act(scene, fault)
    except (
        BrokerAway,
        ActRefused,
        LogUnavailable,
        UnknownSaga,
        OperationalError,
        RedisError,
        httpx.HTTPError,
    ) as error:
        hit = None  # another fault took away what it was aimed at
        told["why"] = repr(error)
    scene.events.write("fault.done", **told, hit=hit or "nothing to hit")
    return hit is not None
