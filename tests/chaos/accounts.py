"""Whether `explain` accounts for the time of orders, chosen at random.

A cause counts only where an event bears it out: a wait in a queue if its claim told how long it was, if a cancel ended it, or if it
was too short for a sweep to have replaced a message, so that an earlier one of two was claimed.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from amends.diagnosis.saga.times.segments import UNACCOUNTED, Cause, Times
from amends.log.answers import LOOK_AGAIN
from amends.log.history import Event
from tests.chaos.order_verdict import OrderVerdict

MANY: Final = 10
LEAST: Final = 0.95
_MILLISECOND: Final = 0.0015  # as the log counts, and as it rounds
_CLAIMS: Final = ("step.started", "step.compensating", "step.verifying")


@dataclass(frozen=True, kw_only=True)
class Account:
    """What `explain` says of the time of one order."""

    saga_id: str
    times: Times
    history: Sequence[Event]

    @property
    def share(self) -> float:
        """The part of its time whose cause is borne out."""
        known = sum(
            each.seconds
            for each in self.times.path
            if each.cause not in UNACCOUNTED
            and (
                each.cause is not Cause.QUEUE
                or each.seconds < LOOK_AGAIN
                or self._was_told(each.record, each.end)
            )
        )
        return known / self.times.total if self.times.total else 1.0

    @property
    def findings(self) -> list[str]:
        """What is wrong with it; nothing if all is well."""
        return [*self._findings()]

    def _findings(self) -> Iterator[str]:
        if self.share < LEAST:
            yield f"{self.saga_id}: explain accounts for {self.share:.1%} of {self.times.total:.1f} s"
        took = self.history_took
        if abs(sum(each.seconds for each in self.times.path) - took) > _MILLISECOND:
            yield f"{self.saga_id}: what explain tells does not add up to the {took:.3f} s that it took"

    @property
    def history_took(self) -> float:
        """Seconds from the first event to the end, by the history alone."""
        ends = [event.at for event in self.history if event.name == "saga.finished"]
        return ends[-1] - self.history[0].at if ends else self.times.total

    def _was_told(self, record: str | None, end: float) -> bool:
        """Return whether the claim at the end of a wait in a queue told how long that was, or none came before a cancel."""
        at_its_end = [each for each in self.history if abs(each.at - end) < _MILLISECOND]
        if record is not None and any(each.name == "saga.compensating" for each in at_its_end):
            return True
        return any(
            each.name in _CLAIMS and each.record == record and "queued" in each.details
            for each in at_its_end
        )

    def __str__(self) -> str:
        """Say how long it took, and on what."""
        told = ", ".join(
            f"{each.seconds:.1f} {each.cause}{f' {each.name}' if each.name else ''}"
            for each in self.times.shares
        )
        return f"{self.saga_id}: {self.share:.1%} of {self.times.total:.1f} s: {told}"


def draw_accounts(orders: Sequence[OrderVerdict], *, seed: int) -> Sequence[Account]:
    """Choose orders at random, and tell where their time went."""
    known = [
        Account(saga_id=each.planned.id, times=each.times, history=each.history)
        for each in orders
        if each.times is not None and each.history
    ]
    return random.Random(seed).sample(known, min(MANY, len(known)))  # noqa: S311 - to be repeated
