"""What keeps sagas going when messages and workers are lost: the sweep that every worker runs."""

import logging
import random
import secrets
import threading
from typing import Any, Final

from celery import Celery, bootsteps
from celery._state import connect_on_app_finalize
from kombu.exceptions import OperationalError

from amends.answers import Run, Running
from amends.config import settings_of
from amends.coordinator import advance
from amends.errors import SagaError
from amends.log import log_of
from amends.payload import error_json

_TAKEN_FOR: Final = 10.0
_BATCH: Final = 50
_logger = logging.getLogger(__name__)


def run_once(app: Celery) -> int:
    """Sweep once: set every saga going that is due. Answers how many were.

    One that cannot be set going is logged, and the others go on. Raises `LogUnavailable`.
    """
    due = log_of(app).take_due(lease=_TAKEN_FOR, limit=_BATCH)
    for saga_id in due:
        try:
            heal(app, saga_id)
        except (SagaError, OperationalError) as error:
            _logger.warning("saga %s stays due: %s", saga_id, error)
    return len(due)


def heal(app: Celery, saga_id: str) -> None:
    """Publish what remains of a saga, after ending an attempt that is past its time."""
    running = advance(app, saga_id)
    if running is not None and running.time_left <= 0 and _time_out(app, saga_id, running):
        advance(app, saga_id)


def _time_out(app: Celery, saga_id: str, running: Running) -> bool:
    """End an attempt whose owner was given up, under a token of our own: what it says is too late."""
    log = log_of(app)
    token = secrets.token_hex(8)
    # No message has so few retries: only the taking over of that very claim can be the answer.
    claim = log.claim_step(
        saga_id, running.path, token=token, owner="sweep", retries=-1, brought=running.token
    )
    if not isinstance(claim, Run):
        return False
    record = claim.itinerary.records[running.path]
    error = TimeoutError(f"no answer after {record.call.start_to_close_timeout:g} s")
    attempt = claim.attempts + 1
    policy = record.call.retry
    if policy.allows(error, attempt):
        log.retry_step(
            saga_id,
            running.path,
            token=token,
            error=error_json(error),
            wait=policy.wait(attempt),
            unknown=True,
            spent=True,
        )
    else:
        log.fail_step(
            saga_id,
            running.path,
            token=token,
            error=error_json(error),
            unknown=True,
            refused=False,
            outcome=record.step.outcome_of(type(error)),
            link="",
        )
    return True


class Sweep(bootsteps.StartStopStep):
    """The worker's bootstep: a thread that sweeps now and then."""

    # After the pool: a forked child must not inherit a thread's held locks.
    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, worker: Any) -> None:
        """Begin to sweep, where the app has a saga log."""
        if not worker.app.conf.get("amends_backend"):
            _logger.warning("no sagas run here: amends_backend is not set")
            return
        arguments = (worker.app, settings_of(worker.app).sweep_interval)
        self._thread = threading.Thread(
            target=self._loop, args=arguments, name="amends-sweep", daemon=True
        )
        self._thread.start()

    def stop(self, worker: Any) -> None:  # noqa: ARG002 - Celery's
        """Begin no further sweep."""
        self._ends.set()

    def _loop(self, app: Celery, interval: float) -> None:
        while not self._ends.wait(interval * random.uniform(0.5, 1.5)):  # noqa: S311 - jitter
            try:
                run_once(app)
            except SagaError as error:
                _logger.warning("no sweep: %s", error)
            except Exception:
                _logger.exception("a sweep failed; the next one tries again")


def _install(app: Celery) -> None:
    app.steps["worker"].add(Sweep)


connect_on_app_finalize(_install)
