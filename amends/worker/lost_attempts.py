"""Attempts that are past their time, or have lost their owner: a sweep ends them."""

import logging
import secrets
from collections.abc import Callable
from functools import cache
from typing import Any

from celery import Celery
from celery.exceptions import WorkerLostError

from amends.activities.soft_limit import timed_out
from amends.backend.settings import settings_of
from amends.definition.serialization import error_json
from amends.errors import LogUnavailable
from amends.log.answers import Continuation, Cost
from amends.log.in_flight import Running
from amends.log.liveness import APART_AFTER, died_in_time, lost_owner
from amends.log.owner import WorkerProcess
from amends.log.saga_log import SagaLog

_logger = logging.getLogger(__name__)


class LostAttempts:
    """The attempts of a log that nobody ends. `may_judge` is asked before an owner is declared dead."""

    def __init__(self, app: Celery, log: SagaLog, *, may_judge: Callable[[], bool]) -> None:
        self._log = log
        self._settings = settings_of(app)
        self._may_judge = may_judge
        self.look_anew()

    def look_anew(self) -> None:
        """Forget the heartbeats that were read: those of a later look at the log are asked for."""
        self._heartbeat_of = cache(self._log.workers.read_heartbeat)

    def end(self, saga_id: str, running: Running) -> Continuation | None:
        """End an attempt that is past its time, or has lost its owner. Returns what follows, None if it was not ended.

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
            return None
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

    def _end_overdue(self, saga_id: str, running: Running) -> Continuation | None:
        call, attempt = running.itinerary.records[running.path].call, running.attempts + 1
        error = timed_out(call.start_to_close_timeout, took=running.age)
        wait = call.retry.wait(attempt) if call.retry.allows(error, attempt) else None
        return self._take_over(saga_id, running, error, wait=wait, cost="attempt")

    def _take_over(
        self, saga_id: str, running: Running, error: Exception, *, wait: float | None, cost: Cost
    ) -> Continuation | None:
        """End an attempt under a new token: its owner's results come too late from then on.

        wait: seconds until the next attempt, None for no other.
        """
        log, path, token = self._log, running.path, secrets.token_hex(8)
        if not log.take_over(saga_id, path, token=token, taken_from=running.token):
            return None
        _logger.warning("saga %s: %s is given up: %s", saga_id, path, error)
        text = error_json(error)
        how: dict[str, Any] = {"token": token, "error": text, "unknown": True}
        if wait is not None:
            return log.retry_step(saga_id, path, **how, wait=wait, cost=cost)
        outcome = running.itinerary.records[path].outcome_of(type(error))
        return log.fail_step(saga_id, path, **how, refused=False, outcome=outcome, link="")
