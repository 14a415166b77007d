"""Rules of liveness over the log's answers: which owners are dead, and which messages are lost."""

from collections.abc import Callable
from typing import Final, Literal

from amends.backend.script_constants import LOST_AFTER, LOST_AFTER_AT_MOST, SOONER
from amends.log.heartbeats import Heartbeat
from amends.log.in_flight import Running
from amends.log.owner import Owner

DEAD_AFTER: Final = 10.0
"""Seconds without a heartbeat after which a worker is dead."""

LONG_QUEUE: Final = 1_000
"""Messages from which on a queue is long."""

_LONG_PATIENCE: Final = 3600.0  # seconds


def lost_after(times: int, length: int | None, count_live: Callable[[], int]) -> float:
    """Return the seconds after which a message is presumed lost, counted from when it was to arrive.

    times: how many messages the record had, this one included.
    length: of the message's queue, None if unknown.
    count_live: counts the sagas that have not ended.
    """
    patience = min(LOST_AFTER * 2.0 ** min(times - 1, 10), LOST_AFTER_AT_MOST)
    if length == 0:
        return patience / SOONER
    return long_patience(times) if is_long(length, count_live) else patience


def is_long(length: int | None, count_live: Callable[[], int]) -> bool:
    """Tell whether a queue is long, and may hold a message for every saga alive."""
    return length is not None and length >= LONG_QUEUE and length >= count_live()


def long_patience(times: int) -> float:
    """Return the seconds that the last of so many messages may spend in a long queue."""
    return _LONG_PATIENCE * 2.0 ** min(times - 1, 10)


APART_AFTER: Final = 2
"""Attempts that ended with their whole worker, after which a record runs apart from others of its kind."""

Loss = Literal["death", "worker_death", "nothing"]
"""How an owner was lost: its process died, its whole worker did, or it lives and has abandoned the claim."""


def lost_owner(running: Running, heartbeat_of: Callable[[str], Heartbeat | None]) -> Loss | None:
    """Return how a claim's owner was lost, or None if it holds the claim.

    running: the claim; what runs without a worker has no owner, and ends by its time alone.
    heartbeat_of: reads a worker's last heartbeat, after the claim was read.
    """
    owner = running.owner
    if owner is None:
        return None
    heartbeat = heartbeat_of(owner.worker)
    return loss_of(owner, heartbeat, claimed_at=running.claimed_at, age=running.age)


def loss_of(
    owner: Owner, heartbeat: Heartbeat | None, *, claimed_at: float, age: float
) -> Loss | None:
    """Return how an owner was lost, or None if it holds its claim.

    An owner is dead if its worker is silent for `DEAD_AFTER`, or has beaten since the claim without naming the process.
    It has abandoned the claim if it no longer has the message: the answer to the claim, or the result, could not be
    written.

    heartbeat: the last one of the owner's worker.
    claimed_at: seconds since 1970 by the log's clock.
    age: seconds since then.
    """
    if heartbeat and heartbeat.at > claimed_at and owner.pid not in heartbeat.pids:
        return "death"
    if heartbeat is None or heartbeat.age > DEAD_AFTER:
        return "worker_death" if age > DEAD_AFTER else None
    if heartbeat.at <= claimed_at:
        return None
    messages = heartbeat.messages
    is_abandoned = owner.message and messages is not None and owner.message not in messages
    return "nothing" if is_abandoned else None


def died_in_time(running: Running, heartbeat_of: Callable[[str], Heartbeat | None]) -> bool:
    """Tell whether the last sign of life of a dead owner came before the time limit of its attempt.

    That is the last heartbeat that named the process, or the claim. When the death was noticed says nothing.
    """
    owner, at = running.owner, running.claimed_at
    heartbeat = heartbeat_of(owner.worker) if owner else None
    if owner and heartbeat:
        named = heartbeat.at if owner.pid in heartbeat.pids else heartbeat.ended.get(owner.pid, at)
        at = max(at, named)
    return at < running.limit_at
