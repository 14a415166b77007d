"""What a worker runs beside its pool: a heartbeat, and the sweep that keeps sagas going."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from celery import Celery, _state, bootsteps
from celery.signals import worker_shutdown
from celery.worker import state
from kombu.exceptions import OperationalError

from amends import retention
from amends.config import is_configured, settings_of
from amends.errors import LogUnavailable
from amends.handover import hand_back
from amends.heartbeat import Heartbeat
from amends.log import SagaLog, log_of
from amends.messages import name_worker
from amends.monitor_switch import MonitorSwitch
from amends.observers.monitors import enter_worker, leave_worker
from amends.reconnection import Reconnection
from amends.recovery import BATCH, Sweep

_MOST_TOLD: Final = 1_000  # ids of messages in a heartbeat, which comes every 2 s

_logger = logging.getLogger(__name__)


class Recovery(bootsteps.StartStopStep):
    """The worker's bootstep: its heartbeat, and a thread that sweeps now and then."""

    # After the pool: a forked child must not inherit a thread's held locks.
    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        # Before the pool forks, and anew where a parent process made several workers.
        name_worker()
        enter_worker(worker.hostname, sends_events=worker.task_events)
        self._ends = threading.Event()
        self._heartbeat: Heartbeat | None = None

    def start(self, worker: Any) -> None:
        """Begin to beat and to sweep, where the app has a saga log."""
        if not is_configured(worker.app):
            _logger.warning("no sagas run here: amends_backend is not set")
            return
        interval = settings_of(worker.app).sweep_interval
        log = log_of(worker.app)
        _warn(log)
        pids = lambda: worker.pool.info.get("processes", ())  # noqa: E731
        self._heartbeat = heartbeat = Heartbeat(log, pids, _messages_in_hand, node=worker.hostname)
        heartbeat.start()
        # Bootsteps stop before the pool drains, and what still runs there must not seem dead.
        worker_shutdown.connect(lambda **_: heartbeat.stop(), weak=False)
        worker_shutdown.connect(lambda **_: leave_worker(), weak=False)
        arguments = (worker.app, heartbeat, interval)
        threading.Thread(
            target=self._loop, args=arguments, name="amends-sweep", daemon=True
        ).start()

    def close(self, worker: Any) -> None:
        """Leave to other workers what this one has fetched and not begun.

        Not in `stop`: the consumer's comes first, and forgets what it has fetched.
        """
        if self._heartbeat is None:
            return
        try:
            hand_back(worker)
        except Exception:
            _logger.exception("what is fetched goes back when the worker has ended")

    def stop(self, worker: Any) -> None:  # noqa: ARG002 - Celery's
        """Begin no further sweep."""
        self._ends.set()

    def terminate(self, worker: Any) -> None:
        """End both at once, with the pool."""
        self.stop(worker)
        if self._heartbeat is not None:
            self._heartbeat.stop()

    def _loop(self, app: Celery, heartbeat: Heartbeat, interval: float) -> None:
        removes_at = 0.0
        while not self._ends.wait(_jittered(interval)):
            try:
                _sweep(app, heartbeat.may_judge, self._ends)
                if time.monotonic() >= removes_at:
                    removes_at = time.monotonic() + _jittered(retention.INTERVAL)
                    retention.remove_ended(app)
            except (LogUnavailable, OperationalError) as error:
                _logger.warning("no sweep: %s", error)
            except Exception:
                _logger.exception("a sweep failed; the next one tries again")


def _sweep(app: Celery, may_judge: Callable[[], bool], ends: threading.Event) -> None:
    """Sweep until little is due. Once, where what runs may not be judged: it stays due for others."""
    while Sweep(app, may_judge=may_judge).run_once() >= BATCH:
        if ends.is_set() or not may_judge():
            return


def _messages_in_hand() -> set[str] | None:
    """Name the messages that the worker has fetched or is at; None where they are too many to tell.

    Both sets: on a lost connection Celery clears the one of what is fetched, and tasks run on.
    """
    while True:
        try:
            ids = {request.id for request in [*state.reserved_requests, *state.active_requests]}
        except RuntimeError:  # another thread changed one meanwhile
            continue
        return ids if len(ids) <= _MOST_TOLD else None


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1.5)  # noqa: S311


def _warn(log: SagaLog) -> None:
    try:
        for weakness in log.weaknesses():
            _logger.warning("%s", weakness)
    except LogUnavailable as error:
        _logger.warning("the worker starts without its saga log: %s", error)


def _install(app: Celery) -> None:
    app.steps["worker"].add(Recovery)
    app.steps["consumer"].add(Reconnection)
    app.steps["consumer"].add(MonitorSwitch)


_celery: Any = _state  # what shared_task uses, and celery-types does not know
_celery.connect_on_app_finalize(_install)
for _app in _celery._get_active_apps():  # noqa: SLF001  # one that touched its tasks before amends was imported
    if _app.finalized:
        _install(_app)
