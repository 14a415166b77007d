"""What a worker runs beside its pool: a heartbeat, and the sweep that keeps sagas going."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from celery import Celery, bootsteps
from celery.platforms import EX_FAILURE
from celery.signals import worker_shutdown
from celery.utils.nodenames import node_format
from kombu.exceptions import OperationalError

from amends.archive.protocol import archive_of
from amends.backend.app_identity import identity_of
from amends.backend.celery_apps import for_each_app
from amends.backend.fast_path import shortcuts_off
from amends.backend.outage_lines import OUTAGE
from amends.backend.own_threads import round_of_own_thread
from amends.backend.settings import Settings, backend_hint, is_configured, settings_of
from amends.breaker.scope import enter_worker
from amends.diagnosis.deployment.redis_rules import weaknesses_of
from amends.errors import ConfigurationError, LogUnavailable
from amends.log.owner import WorkerProcess
from amends.log.profiles import Profile
from amends.log.saga_log import log_of
from amends.scheduling.firing import Firing
from amends.worker.failover import Failovers
from amends.worker.health_file import Health, Pulse, health_of
from amends.worker.heartbeat import Heartbeat
from amends.worker.in_hand import messages_in_hand, queues_consumed
from amends.worker.jitter import jittered
from amends.worker.outbox import start_relay
from amends.worker.pool import live_processes, warn_of_coroutines
from amends.worker.reconnection import prepare_connections
from amends.worker.remembered import Remembered
from amends.worker.retention import start_retention
from amends.worker.revocation import Revocations
from amends.worker.shutdown import hand_back
from amends.worker.sweep import BATCH, Sweep
from amends.worker.task_events import MonitorSwitch

_logger = logging.getLogger(__name__)


class Recovery(bootsteps.StartStopStep):
    """The worker's bootstep: its heartbeat, and a thread that sweeps now and then."""

    # After the pool: a forked child must not inherit a thread's held locks.
    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        # Before the pool forks, and anew where a parent process made several workers.
        self._process = WorkerProcess.enter(worker.hostname)
        enter_worker(worker.hostname)
        _settle_queues(worker.app)
        self._remembered = _remember(worker)
        self._process.switch_events(on=bool(worker.task_events))
        self._ends = threading.Event()
        self._heartbeat: Heartbeat | None = None
        self._health: Health | None = None
        self._returned: list[str] = []  # ids of messages that were handed back

    def start(self, worker: Any) -> None:
        """Begin to beat and to sweep, where the app has a saga log."""
        if not is_configured(worker.app):
            hint = backend_hint(worker.app)
            _logger.warning("no sagas run here: amends_backend is not set%s", hint)
            prepare_connections(worker.consumer, fast_path=False)
            return
        settings = _settings_of(worker.app)
        log = log_of(worker.app)
        _warn(settings)
        _tell_way(settings)
        warn_of_coroutines(worker.app)
        prepare_connections(worker.consumer, fast_path=settings.fast_path)
        self._health = worker.amends_health = health_of(worker, settings.health_file)
        self._heartbeat = heartbeat = Heartbeat(
            log,
            partial(live_processes, worker.pool),
            lambda: messages_in_hand(worker.consumer, self._returned),
            node=worker.hostname,
            profile=partial(_profile_of, worker),
            queues=lambda: (
                [] if self._process.is_ending.value else queues_consumed(worker.consumer)
            ),
            returned=lambda: self._returned,
            after=self._note_beat,
        )
        heartbeat.start()
        # Bootsteps stop before the pool drains, and what still runs there must not seem dead.
        worker_shutdown.connect(self._fall_silent, weak=False)
        worker_shutdown.connect(lambda **_: self._process.leave(), weak=False)
        worker_shutdown.connect(lambda **_: Remembered.leave(), weak=False)
        arguments = (worker.app, heartbeat, settings.sweep_interval)
        threading.Thread(
            target=self._loop, args=arguments, name="amends-sweep", daemon=True
        ).start()
        start_relay(worker.app, self._ends)
        start_retention(worker.app, self._ends)

    def close(self, worker: Any) -> None:
        """Leave to other workers what this one has fetched and not begun.

        Not in `stop`: the consumer's comes first, and forgets what it has fetched.
        """
        if self._heartbeat is None:
            return
        self._process.note_ending()
        try:
            self._returned = hand_back(worker)
            self._heartbeat.hurry()  # what it names as in hand seems lost once this worker is gone
        except Exception:
            _logger.exception("what is fetched goes back when the worker has ended")

    def stop(self, worker: Any) -> None:  # noqa: ARG002 - Celery's
        """Begin no further sweep."""
        self._ends.set()

    def terminate(self, worker: Any) -> None:
        """End both at once, with the pool."""
        self.stop(worker)
        self._fall_silent()

    def _note_beat(self, is_accepted: bool) -> None:  # noqa: FBT001 - all there is to say
        if self._health is not None:
            self._health.tell(is_ready=is_accepted)

    def _fall_silent(self, **_: Any) -> None:
        if self._heartbeat is not None:
            self._heartbeat.stop()
        if self._health is not None:
            self._health.end()

    def _loop(self, app: Celery, heartbeat: Heartbeat, interval: float) -> None:
        revocations, firing = Revocations(), Firing(app)
        sweep = Sweep(app, may_judge=heartbeat.may_judge)
        failovers = Failovers(app, self._remembered)
        failovers.look()  # at what the worker of before had been told, too
        while not self._ends.wait(jittered(interval)):
            try:
                with round_of_own_thread():
                    failovers.look()  # before what is lost is done again
                    revocations.cancel_sagas(app)
                    if heartbeat.takes_more():
                        log_of(app).maintenance.hasten_parked(limit=BATCH)
                    firing.run_once()
                    _run(sweep, heartbeat.may_judge, self._ends)
            except (LogUnavailable, ConfigurationError, OperationalError) as error:
                OUTAGE.warn(_logger, "no sweep: %s", error)
            except Exception:
                _logger.exception("a sweep failed; the next one tries again")


def _settings_of(app: Celery) -> Settings:
    """Return an app's settings, or end the worker with a line that says what is wrong with them, or with its archive."""
    try:
        archive_of(app)
        return settings_of(app)
    except ConfigurationError as error:
        _logger.critical("no sagas can run here: %s", error)
        raise SystemExit(EX_FAILURE) from error


def _settle_queues(app: Celery) -> None:
    """Let a worker of sagas consume what is declared by now: before Celery 5.7 a queue that it publishes to later seems consumed, too."""
    queues: Any = app.amqp.queues
    if is_configured(app) and queues.consume_from is queues:
        queues.select(list(queues))


def _remember(worker: Any) -> Remembered:
    """Remember what the log acknowledges to a worker, or end it with a line that says what is wrong with its file."""
    forks = worker.pool_cls.uses_semaphore  # as prefork does; all else runs in this process
    processes = (worker.max_concurrency or worker.concurrency) if forks else 0
    kept = _settings_of(worker.app).acknowledged_file if is_configured(worker.app) else None
    file = Path(node_format(kept, worker.hostname)) if kept else None
    try:
        return Remembered.enter(worker.app, processes, file)
    except ConfigurationError as error:
        _logger.critical("no sagas can run here: %s", error)
        raise SystemExit(EX_FAILURE) from error


def _run(sweep: Sweep, may_judge: Callable[[], bool], ends: threading.Event) -> None:
    """Sweep until little is due. Once, where what runs may not be judged: it stays due for others."""
    while sweep.run_once() >= BATCH:
        if ends.is_set() or not may_judge():
            return


def _profile_of(worker: Any) -> Profile | None:
    """Tell which activities a worker's consumer knows, and from which queues; None before it has begun."""
    app, known = worker.app, list(worker.consumer.strategies)
    if not known:
        return None
    return Profile(
        app=identity_of(app),
        name=app.main or "",
        tasks=frozenset(name for name in known if hasattr(app.tasks.get(name), "activity")),
        queues=frozenset(app.amqp.queues.consume_from),
    )


def _warn(settings: Settings) -> None:
    try:
        for each in weaknesses_of(settings):
            _logger.warning("%s; %s (%s)", each.what, each.remedy, each.code)
    except (LogUnavailable, ConfigurationError) as error:
        _logger.warning("the worker starts without its saga log: %s", error)


def _tell_way(settings: Settings) -> None:
    """Say which way sagas go in this worker, and why."""
    if not settings.fast_path:
        _logger.info("sagas go by the libraries' own calls: amends_fast_path is False")
        return
    off = shortcuts_off()
    but = f", but for {', '.join(f'{name} ({why})' for name, why in off.items())}" if off else ""
    _logger.info("sagas take the fast path%s", but)


def _install(app: Celery) -> None:
    app.steps["worker"].add(Recovery)
    app.steps["consumer"].update((MonitorSwitch, Pulse))


for_each_app(_install)
