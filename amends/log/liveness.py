"""Rules of liveness over the log's answers: which owners are dead, and which messages are lost."""

from collections.abc import Callable
from enum import Enum
from typing import Final, Literal

from amends.backend.script_constants import LOST_AFTER, LOST_AFTER_AT_MOST, SOONER
from amends.log.heartbeats import Heartbeat
from amends.log.in_flight import Running, Waiting
from amends.log.owner import Owner

DEAD_AFTER: Final = 10.0
"""Seconds without a heartbeat after which a worker is dead."""

PUBLISHED_WITHIN: Final = 10.0
"""Seconds within which a message is in its queue, once the log says that it was sent."""


def looked_at_after(times: int, length: int | None) -> float:
    """Return the seconds after which a message is judged, counted from when it was to arrive.

    times: how many messages the record had, this one included.
    length: of the message's queue, None if unknown. If it is not empty, a probe may be sent then.
    """
    patience = min(LOST_AFTER * 2.0 ** min(times - 1, 10), LOST_AFTER_AT_MOST)
    return patience / SOONER if length == 0 else patience


HELD_FOR: Final = 600.0
"""Seconds after which a process that has a message and does not claim it may hang, as in a signal handler of the app."""


class Hand(Enum):
    """Whose hands a message was last seen in."""

    NOBODYS = "no worker has named it"
    HELD = "a live worker has it"
    DROPPED = "a worker had it that died"
    RETURNED = "a worker had it and put it back into its queue"


class Verdict(Enum):
    """What is known of a message that nobody has claimed."""

    LOST = "it is lost"
    UNDER_WAY = "it is under way"
    SUSPECT = "it has been under way for long, and nobody knows"


def judge_message(
    message: Waiting,
    *,
    hand: Hand,
    age: float,
    is_all_told: bool,
    length: int | None,
    is_consumed: bool,
    watermark: float,
) -> Verdict:
    """Judge a message by what is known of it and of its queue, never by how many others there are.

    message: unclaimed, though it should have arrived.
    hand: who has it.
    age: seconds since it should have arrived.
    is_all_told: whether each live worker has told all messages that it has in hand.
    length: messages in its queue, None if unknown.
    is_consumed: whether a live worker may consume its queue.
    watermark: of its queue, see `Reading`; 0 if unknown. A queue hands messages out in order: one that was published
        before is in some worker's hands, or lost, unless it was put back.
    """
    if message.times == 0:  # it was never published
        return Verdict.LOST
    if hand is Hand.HELD:
        may_hang = message.is_overdue and age > HELD_FOR
        return Verdict.SUSPECT if may_hang else Verdict.UNDER_WAY
    if hand is Hand.DROPPED:
        return Verdict.LOST
    was_passed = hand is not Hand.RETURNED and watermark > message.sent_at + PUBLISHED_WITHIN
    if is_all_told and (length == 0 or (is_consumed and was_passed)):
        return Verdict.LOST
    may_be_lost = message.is_overdue and (is_consumed or length == 0)
    return Verdict.SUSPECT if may_be_lost else Verdict.UNDER_WAY


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
