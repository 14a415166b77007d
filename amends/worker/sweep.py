"""The sweep: recovers sagas whose message or worker was lost. Every worker runs it."""

import logging
import secrets
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from celery import Celery
from celery.exceptions import WorkerLostError
from kombu.exceptions import OperationalError

from amends.activities.soft_limit import timed_out
from amends.backend.settings import settings_of
from amends.definition.serialization import error_json
from amends.dispatch.coordinator import advance
from amends.errors import LogUnavailable, UnreadableData
from amends.log.answers import LOOK_AGAIN, Cost, Dispatched, Publish
from amends.log.in_flight import Parked, Running, Waiting
from amends.log.liveness import (
    APART_AFTER,
    Verdict,
    died_in_time,
    lost_owner,
)
from amends.log.owner import WorkerProcess
from amends.log.saga_log import SagaLog, log_of
from amends.worker.competence import Competence
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
        self._heartbeat_of = self._log.workers.read_heartbeat

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
        self._undecided: list[str] = []
        return self._messages.begin_sweep()

    def _put_back_undecided(self) -> None:
        if self._undecided:
            self._log.maintenance.put_back(self._undecided)

    def _look(self, saga_ids: Sequence[str]) -> list[_Found]:
        self._heartbeat_of = cache(self._log.workers.read_heartbeat)  # anew, after this look
        # What one may not judge stays due, for those that may.
        again = LOOK_AGAIN if self._may_judge() else 0
        longest = self._settings.max_countdown
        return self._log.maintenance.look_at_sagas(saga_ids, longest_wait=longest, again=again)

    def _heal(self, saga_id: str, found: _Found) -> bool:
        """Recover a saga by what a look found. Returns whether others may have lost their messages too."""
        if isinstance(found, Exception):
            raise found
        if found is None or isinstance(found, Publish):
            return False
        if not self._competence.covers(found):
            if self._competence.is_left(found):  # this look may not put off theirs
                self._undecided.append(saga_id)
            return False
        if isinstance(found, Parked):
            unpark(self._app, saga_id, found)
            return False
        if isinstance(found, Waiting):
            return self._replace_lost(saga_id, found)
        if isinstance(found, Running) and self._end_attempt(saga_id, found):
            advance(self._app, saga_id)
        return False

    def _replace_lost(self, saga_id: str, message: Waiting) -> bool:
        """Publish again what a saga waits for, if it is lost. Returns whether others may be: a message was sent, and lost."""
        verdict = self._messages.judge(saga_id, message)
        if verdict is None:
            self._undecided.append(saga_id)
        if verdict is not Verdict.LOST:
            return False
        advance(self._app, saga_id)
        return message.times > 0

    def _end_attempt(self, saga_id: str, running: Running) -> bool:
        """End an attempt that is past its time, or has lost its owner. Returns whether it was ended.

        A loss after the attempt's own time limit is a timeout like any other. A death that came before that, by its last
        sign of life, stays a death however late it is noticed.
        """
        lost, may_judge = lost_owner(running, self._heartbeat_of), self._may_judge()
        # A worker knows its own pool, however long the log was away. That it could not beat itself says nothing.
        is_own = running.owner is not None and running.owner.worker == WorkerProcess.current.name
        may_judge |= is_own and lost == "death"
        is_dead = lost in ("death", "worker_death") and died_in_time(running, self._heartbeat_of)
        if not is_dead and (
            running.time_left <= 0 or (may_judge and lost and running.limit_left <= 0)
        ):
            return self._end_overdue(saga_id, running)
        if lost is None or not may_judge:
            return False
        owner = running.owner and running.owner.format()
        is_poison = False
        if lost == "nothing":
            error: Exception = LogUnavailable(
                f"{owner} went on without the saga log's answer, or its task failed before the call"
            )
        else:
            error = WorkerLostError(f"the process {owner} that ran it died")
            if running.worker_deaths >= APART_AFTER:
                lost = "death"  # it ran apart
            is_poison = lost == "death" and running.deaths + 1 >= self._settings.poison_after
        wait = None if is_poison else 0.0
        return self._take_over(saga_id, running, error, wait=wait, cost=lost)

    def _end_overdue(self, saga_id: str, running: Running) -> bool:
        call, attempt = running.itinerary.records[running.path].call, running.attempts + 1
        error = timed_out(call.start_to_close_timeout, took=running.age)
        wait = call.retry.wait(attempt) if call.retry.allows(error, attempt) else None
        return self._take_over(saga_id, running, error, wait=wait, cost="attempt")

    def _take_over(
        self, saga_id: str, running: Running, error: Exception, *, wait: float | None, cost: Cost
    ) -> bool:
        """End an attempt under a new token: its owner's results come too late from then on.

        wait: seconds until the next attempt, None for no other.
        """
        log, path, token = self._log, running.path, secrets.token_hex(8)
        if not log.take_over(saga_id, path, token=token, taken_from=running.token):
            return False
        _logger.warning("saga %s: %s is given up: %s", saga_id, path, error)
        text = error_json(error)
        if wait is not None:
            log.retry_step(
                saga_id, path, token=token, error=text, wait=wait, unknown=True, cost=cost
            )
        else:
            outcome = running.itinerary.records[path].step.outcome_of(type(error))
            log.fail_step(
                saga_id,
                path,
                token=token,
                error=text,
                unknown=True,
                refused=False,
                outcome=outcome,
                link="",
            )
        return True
