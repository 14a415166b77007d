"""What the sides of a race for a wait do to a saga, each in a process of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from celery import Celery
from pydantic import BaseModel

import amends
from amends import ActRefused, Handle
from amends.backend.script_constants import TIMED
from amends.definition.states import RecordState
from amends.dispatch.coordinator import advance
from amends.log.saga_log import SagaLog, log_of
from amends.worker.sweep import Sweep
from tests.support.clock import redis_now
from tests.support.log_driver import ERROR
from tests.support.log_view import view_of

Act = Callable[[], str]
"""What a side does; it returns what it was told."""
Side = Callable[[Celery, str], Act]
"""Makes ready what a side does to a saga."""

WAIT: Final = "approval"
BY_HAND: Final = "hand"
"""The step that no worker does."""
REFUSED: Final = "refused"
_AHEAD: Final = 0.003
"""Seconds until a time is over that a side sets."""


class Vote(BaseModel):
    voter: str


@dataclass(frozen=True, kw_only=True)
class Gives:
    """Gives a signal.

    voter: number of who gives it.
    number: of the signal's id.
    after: a signal that was given before.
    """

    voter: int
    number: int
    after: "Gives | None" = None

    def __call__(self, _: Celery, saga_id: str) -> Act:
        """Give the one before."""
        if self.after:
            assert self.after.give(saga_id) == "counted"
        return partial(self.give, saga_id)

    def id_of(self, saga_id: str) -> str:
        """Return the signal's id."""
        return f"{saga_id}-{self.number}"

    def give(self, saga_id: str) -> str:
        """Give it; returns the answer, or that it was refused."""
        who = f"voter-{self.voter}"
        handle = Handle(saga_id, dict, signals={WAIT: Vote})
        try:
            return str(handle.signal(WAIT, Vote(voter=who), id=self.id_of(saga_id), by=who))
        except ActRefused:
            return REFUSED


SIGNAL: Final = Gives(voter=0, number=0)
ANOTHER: Final = Gives(voter=1, number=1)
AHEAD: Final = Gives(voter=9, number=9)


def cancel(_: Celery, saga_id: str) -> Act:
    handle = amends.get(saga_id)
    return lambda: "cancelled" if handle.cancel() else "late"


def skip(_: Celery, saga_id: str) -> Act:
    """Pass over the wait, as an operator does."""
    handle = amends.get(saga_id)

    def act() -> str:
        try:
            handle.skip(WAIT, output=Vote(voter="operator"))
        except ActRefused:
            return REFUSED
        return "skipped"

    return act


def sweep_at(field: str) -> Side:
    """Let a time of a saga be over in a moment, and sweep as a worker does until its wait has ended."""

    def ready(app: Celery, saga_id: str) -> Act:
        log, sweep = log_of(app), _sweep(app)
        view = view_of(log)
        at = int((redis_now(view.client) + _AHEAD) * 1000)
        code = log.read_saga(saga_id).itinerary.code_of(WAIT)
        view.client.hset(view.saga_key(saga_id), field.format(code), at)
        view.make_due(saga_id, TIMED + at)

        def act() -> str:
            while state_of(log, saga_id) is RecordState.WAITING:
                sweep.run_once()
            return ""

        return act

    return ready


@cache
def _sweep(app: Celery) -> Sweep:
    return Sweep(app, may_judge=lambda: False)


def fail_beside(app: Celery, saga_id: str) -> Act:
    """Let a step of another branch fail for good."""
    log = log_of(app)
    log.claim_step(saga_id, BY_HAND, token="racer", owner="racer", retries=0, brought="")

    def act() -> str:
        how = {"error": ERROR, "unknown": False, "refused": False, "outcome": "no_hand", "link": ""}
        log.fail_step(saga_id, BY_HAND, token="racer", **how)
        advance(app, saga_id)
        return ""

    return act


def open_wait(app: Celery, saga_id: str) -> Act:
    """Complete the step before the wait, and go on to it."""
    log = log_of(app)
    log.claim_step(saga_id, BY_HAND, token="racer", owner="racer", retries=0, brought="")

    def act() -> str:
        log.complete_step(
            saga_id, BY_HAND, token="racer", output='{"part":"hand"}', link="", message=None
        )
        advance(app, saga_id)
        return ""

    return act


def state_of(log: SagaLog, saga_id: str) -> RecordState:
    """Return the state of a saga's wait."""
    return log.read_saga(saga_id).records[WAIT].state
