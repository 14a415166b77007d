"""The sweep: recovers sagas whose message or worker was lost. Every worker runs it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError

from amends.backend.settings import settings_of
from amends.dispatch.coordinator import advance, publish, publish_found
from amends.errors import LogUnavailable, UnreadableData
from amends.log.answers import LOOK_AGAIN, Continuation, Next, Publish, RetryAfter
from amends.log.in_flight import (
    Attend,
    Begin,
    Branches,
    Dispatched,
    Ended,
    Expand,
    Parked,
    Running,
    Waiting,
)
from amends.log.liveness import Verdict
from amends.log.saga_log import SagaLog, log_of
from amends.worker.competence import Competence
from amends.worker.lost_attempts import LostAttempts
from amends.worker.lost_messages import LostMessages
from amends.worker.parked import unpark

_TAKEN_FOR: Final = 10.0

_AT_ONCE: Final = 3_200  # sagas of all shards: they are looked at within a part of their lease
BATCH: Final = 50
"""Sagas of a shard that one sweep looks at."""

_HASTENED_BY_EACH: Final = 16
"""Sagas that a sweep makes due sooner, for each that has lost its message."""

_MOST_HASTENED: Final = 1_000

_LATER: Final = 120.0  # seconds

_logger = logging.getLogger(__name__)

_Found = Dispatched | Exception


def taken_of(shards: int) -> int:
    """Return how many due sagas a sweep takes of each shard of a log that has so many."""
    return min(BATCH, max(1, _AT_ONCE // shards))


class Sweep:
    """A sweep over due sagas. `may_judge` is asked before an owner is declared dead."""

    def __init__(self, app: Celery, *, may_judge: Callable[[], bool]) -> None:
        self._app = app
        self._log: SagaLog = log_of(app)
        self._settings = settings_of(app)
        self._may_judge = may_judge
        self._competence = Competence(app)
        self._messages = LostMessages(app, self._log, may_judge=may_judge)
        self._attempts = LostAttempts(app, self._log, may_judge=may_judge)

    def run_once(self) -> int:
        """Recover every due saga that stands still. Returns how many were due, but for those that the next sweep can tell of.

        And but for those of another app whose workers live, which stay due for these.

        A failure on one saga is logged, and the others go on. Raises `LogUnavailable`, and kombu's ``OperationalError`` if
        the broker is away.
        """
        fallen = self._begin()
        due = self._log.maintenance.take_due(
            lease=_TAKEN_FOR, limit=taken_of(self._settings.shards)
        )
        sagas = list(dict.fromkeys([*fallen, *due]))
        losses = 0
        for k, (saga_id, found) in enumerate(zip(sagas, self._look(sagas), strict=True)):
            try:
                losses += self._heal(saga_id, found)
            except LogUnavailable:
                raise
            except OperationalError:
                # for when the broker is there again
                self._log.maintenance.put_back([*self._undecided, *sagas[k:]])
                raise
            except UnreadableData as error:
                _logger.warning("saga %s is left to other workers: %s", saga_id, error)
            except Exception:
                _logger.exception("saga %s stays due", saga_id)
        self._put_back_undecided()
        if losses:  # where many stand, each is looked at seldom
            self._log.maintenance.hasten_sagas(
                min(losses * _HASTENED_BY_EACH, _MOST_HASTENED), beyond=_LATER
            )
        return len(due) - len(self._undecided)

    def heal(self, saga_id: str) -> None:
        """Recover one saga: judge its claim or message, and publish what remains."""
        self._begin()
        self._heal(saga_id, self._look([saga_id])[0])
        self._put_back_undecided()

    def _begin(self) -> list[str]:
        """Forget what the sweep before knew. Returns sagas to look at, though they are not due."""
        self._competence = Competence(self._app)
        self._undecided: dict[str, None] = {}  # each once, however many of its branches
        return self._messages.begin_sweep()

    def _put_back_undecided(self) -> None:
        if self._undecided:
            self._log.maintenance.put_back(list(self._undecided))

    def _look(self, saga_ids: Sequence[str]) -> list[_Found]:
        self._attempts.look_anew()  # after this look
        # What one may not judge stays due, for those that may.
        again = LOOK_AGAIN if self._may_judge() else 0
        longest = self._settings.max_countdown
        return self._log.maintenance.look_at_sagas(saga_ids, longest_wait=longest, again=again)

    def _heal(self, saga_id: str, found: _Found) -> bool:
        """Recover a saga by what a look found. Returns whether others may have lost their messages too."""
        if isinstance(found, Exception):
            raise found
        if isinstance(found, Branches):
            return self._heal_branches(saga_id, found)
        if found is None or isinstance(found, Publish | Expand | Begin | Attend):
            return False
        competence = self._competence
        if isinstance(found, Ended) and competence.tells(found):
            publish_found(self._app, saga_id, found)
            return False
        if isinstance(found, Ended) or not competence.covers(found):
            if competence.is_left(found):  # this look may not put off theirs
                self._undecided[saga_id] = None
            return False
        if isinstance(found, Parked):
            unpark(self._app, saga_id, found)
            return False
        if isinstance(found, Waiting):
            return self._replace_lost(saga_id, found)
        if isinstance(found, Running) and (follows := self._attempts.end(saga_id, found)):
            self._go_on(saga_id, found, follows)
        return False

    def _go_on(self, saga_id: str, ended: Running, follows: Continuation) -> None:
        """Publish what follows an attempt that was ended here."""
        if isinstance(follows, Next):
            chain = replace(follows.of(ended.itinerary), trace=ended.trace)
            publish(self._app, saga_id, chain)
            return
        branch = ended.itinerary.branch_of(ended.path)
        is_owed = isinstance(follows, RetryAfter) and branch
        advance(self._app, saga_id, lost=[branch] if is_owed else ())

    def _heal_branches(self, saga_id: str, branches: Branches) -> bool:
        """Recover the branches of a stage, each whatever happens to the others; publish what was lost at once."""
        lost: list[str] = []
        errors: list[Exception] = []
        for found in branches.found:
            try:
                if isinstance(found, Waiting) and self._competence.covers(found):
                    lost += self._lost_mark(saga_id, found)
                else:
                    self._heal(saga_id, found)
            except (LogUnavailable, OperationalError):
                raise
            except Exception as error:  # noqa: BLE001 - a route of the app's own may raise anything
                errors.append(error)
        if lost:
            advance(self._app, saga_id, lost=lost)
        if errors:
            raise errors[0]
        return bool(lost)

    def _lost_mark(self, saga_id: str, message: Waiting) -> list[str]:
        """Return the mark of a branch whose message is lost, or nothing."""
        verdict = self._messages.judge(saga_id, message)
        if verdict is None:
            self._undecided[saga_id] = None
        return [message.mark] if verdict is Verdict.LOST else []

    def _replace_lost(self, saga_id: str, message: Waiting) -> bool:
        """Publish again what a saga waits for, if it is lost. Returns whether others may be: a message was sent, and lost."""
        verdict = self._messages.judge(saga_id, message)
        if verdict is None:
            self._undecided[saga_id] = None
        if verdict is not Verdict.LOST:
            return False
        advance(self._app, saga_id)
        return message.times > 0
