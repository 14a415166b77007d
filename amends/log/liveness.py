"""Who is dead, and which message is lost: rules over the log's answers."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Final

from amends.backend.script_constants import LOST_AFTER, LOST_AFTER_AT_MOST, SOONER
from amends.log.claim import Cost
from amends.log.heartbeats import Heartbeat
from amends.log.owner import Owner
from amends.log.remaining import Running

_LONG: Final = 1_000  # messages

_LONG_PATIENCE: Final = 3600.0


def lost_after(times: int, length: int | None, count_live: Callable[[], int]) -> float:
    """Seconds after its time that a message is presumed lost, the last of `times`, by its queue's length."""
    patience = min(LOST_AFTER * 2.0 ** min(times - 1, 10), LOST_AFTER_AT_MOST)
    if length == 0:
        return patience / SOONER
    return _long_patience(times) if _is_long(length, count_live) else patience


def _is_long(length: int | None, count_live: Callable[[], int]) -> bool:
    return length is not None and length >= _LONG and length >= count_live()


def _long_patience(times: int) -> float:
    return _LONG_PATIENCE * 2.0 ** min(times - 1, 10)


DEAD_AFTER: Final = 10.0
"""Seconds after which a worker that did not beat is dead."""

VERSION: Final = version("amends")


def lost_owner(running: Running, heartbeat_of: Callable[[str], Heartbeat | None]) -> Cost | None:
    """Tell whether a claim has lost its owner, and what that costs it; None where it has not.

    `heartbeat_of` reads what a worker said last, after the claim was read.
    Its owner is dead when its worker did not beat for `DEAD_AFTER`, or has beaten since the claim without naming
    the process. It lives and has abandoned the claim when it no longer has the message: the answer to the claim, or the
    result, could not be written. What runs without a worker has no owner, and only its time ends it.
    """
    owner = running.owner
    return judged(running, owner, heartbeat_of(owner.worker)) if owner else None


def judged(running: Running, owner: Owner, heartbeat: Heartbeat | None) -> Cost | None:
    """Tell the same by what the owner's worker said last."""
    if heartbeat is None or heartbeat.age > DEAD_AFTER:
        return "death" if running.age > DEAD_AFTER else None
    if heartbeat.at <= running.claimed_at:
        return None
    if owner.pid not in heartbeat.pids:
        return "death"
    messages = heartbeat.messages
    is_abandoned = owner.message and messages is not None and owner.message not in messages
    return "nothing" if is_abandoned else None
