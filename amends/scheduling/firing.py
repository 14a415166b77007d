"""Fires schedules: in each sweep of a worker, whatever is due of those that the worker has imported.

A tick is decided in the log, then its saga is started, then it is settled. Whoever finds a decided tick starts its saga: under
its id that is the same saga, so that a crash between any two of these neither loses a tick nor doubles it.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from celery import Celery
from kombu.exceptions import OperationalError

from amends.backend.app_identity import identity_of
from amends.backend.celery_apps import current
from amends.definition.states import ENDED
from amends.errors import ActRefused, LogUnavailable, UnknownSaga
from amends.log.saga_log import log_of
from amends.log.schedules.state import ScheduleState
from amends.saga.handle import get
from amends.scheduling.definition import Schedule, schedules
from amends.scheduling.ticks import ticks_between

_RENEWED_AFTER: Final = 60.0
"""Seconds after which a worker says again that it defines its schedules."""

_AT_ONCE: Final = 100
"""Ticks of a schedule that one sweep settles."""

_MOST_COUNTED: Final = 1_000
"""Missed ticks that are passed by at once."""

_logger = logging.getLogger(__name__)


class Firing:
    """Fires the schedules of a worker.

    now: a monotonic clock in seconds, by which definitions are renewed.
    fires: returns the schedules, by default all that this process has imported.
    """

    def __init__(
        self,
        app: Celery,
        *,
        now: Callable[[], float] = time.monotonic,
        fires: Callable[[], Sequence[Schedule[Any, Any]]] = schedules,
    ) -> None:
        self._app = app
        self._log = log_of(app)
        self._now = now
        self._fires = fires
        self._begun: set[str] = set()  # whose definition was written once
        self._kept: dict[str, float] = {}  # when the log last kept each
        self._told: set[tuple[str, ...]] = set()

    def run_once(self) -> bool:
        """Define what is not defined yet, and fire what is due. A failure of one schedule is logged, and the others go on.

        Returns whether more is due than is settled at once. Raises `LogUnavailable`, and kombu's ``OperationalError``.
        """
        has_more = False
        with current(self._app):  # sagas are started by the app of their thread
            for schedule in self._fires():
                try:
                    if self._is_kept(schedule):
                        has_more = self._fire(schedule) or has_more
                except (LogUnavailable, OperationalError):
                    raise
                except Exception:
                    _logger.exception("schedule %s is left to the next sweep", schedule.name)
        return has_more

    def _is_kept(self, schedule: Schedule[Any, Any]) -> bool:
        """Tell whether the log has this definition, which is written at first and renewed now and then."""
        name, now = schedule.name, self._now()
        if name in self._kept and now - self._kept[name] < _RENEWED_AFTER:
            return True
        how, owner = self._define(schedule, is_begin=name not in self._begun)
        if how == "taken":
            self._tell(
                "schedule %s is not fired here: app %s has one of that name in this log; name one of them otherwise",
                name,
                owner,
            )
            return False
        self._begun.add(name)
        if how == "other":
            self._tell(
                "schedule %s is not fired here: a worker that started later defines it otherwise",
                name,
            )
            return False
        self._kept[name] = now
        return True

    def _tell(self, text: str, *words: str) -> None:
        """Log a line, once."""
        if (text, *words) not in self._told:
            self._told.add((text, *words))
            _logger.error(text, *words)

    def _define(self, schedule: Schedule[Any, Any], *, is_begin: bool) -> tuple[str, str]:
        log, own = self._log, identity_of(self._app)
        state = log.schedules.read_schedule(schedule.name)
        is_others = state is not None and state.app != own
        live = {each.app for each in log.profiles.read_live()} if is_others else set()
        return log.schedules.define_schedule(
            schedule.name,
            app=own,
            app_name=self._app.main or "",
            definition=schedule.text,
            digest=schedule.digest,
            is_begin=is_begin,
            lives=state is not None and state.app in live,
        )

    def _fire(self, schedule: Schedule[Any, Any]) -> bool:
        """Settle the ticks that are due, the oldest first, until one has to wait. Returns whether others are left."""
        for _ in range(_AT_ONCE):
            state = self._log.schedules.read_schedule(schedule.name)
            if (
                state is None or state.digest != schedule.digest
            ):  # the log was emptied, or a worker has begun
                self._kept.pop(schedule.name, None)
                return False
            if not (self._settle_decided if state.decided else self._settle_next)(schedule, state):
                return False
        return True

    def _settle_next(self, schedule: Schedule[Any, Any], state: ScheduleState) -> bool:
        """Settle the next tick. Returns whether another may be due."""
        log = self._log.schedules
        cursor, now = _moment(state.cursor), datetime.fromtimestamp(state.now, UTC)
        if state.paused_at is not None:
            return False
        horizon = now - timedelta(seconds=schedule.catch_up)
        tick = schedule.ticks.after(cursor)
        if tick > now:
            return False
        if tick <= horizon:
            missed = list(islice(ticks_between(schedule.ticks, cursor, horizon), _MOST_COUNTED))
            passed = missed[-1] if len(missed) == _MOST_COUNTED else horizon
            return log.pass_ticks(state, _ms(passed), "missed", count=len(missed))
        if schedule.overlap != "allow" and self._is_alive(state.last):
            if schedule.overlap == "skip":
                return log.pass_ticks(state, _ms(tick), "skipped", count=1)
            if schedule.overlap == "cancel":
                why = f"schedule {schedule.name} is due again"
                with suppress(ActRefused):  # past its point of no return it runs to its end
                    get(state.last or "").cancel(by="amends", why=why)
            return False  # until it has ended
        decided = log.decide_tick(state, _ms(tick))
        return decided and self._settle_decided(schedule, replace(state, decided=_ms(tick)))

    def _settle_decided(self, schedule: Schedule[Any, Any], state: ScheduleState) -> bool:
        """Start the saga of a decided tick, or after its time look whether it was started. Returns whether another may be due."""
        log, due = self._log.schedules, state.decided or 0
        tick = _moment(due)
        saga_id = schedule.id_of(tick)
        if state.now - due / 1000 >= schedule.catch_up:
            if not self._is_there(saga_id):
                return log.pass_ticks(state, due, "missed", count=1)
            log.fire_tick(schedule.name, due, saga_id)
            return True
        try:
            schedule.start(tick)
        except (LogUnavailable, OperationalError):
            raise
        except Exception as error:
            if log.fail_tick(schedule.name, due, f"{type(error).__name__}: {error}"):
                _logger.exception(
                    "schedule %s: %s could not be started, and is tried again",
                    schedule.name,
                    saga_id,
                )
            return False
        log.fire_tick(schedule.name, due, saga_id)
        return True

    def _is_there(self, saga_id: str) -> bool:
        try:
            self._log.read_status(saga_id)
        except UnknownSaga:
            return False
        return True

    def _is_alive(self, saga_id: str | None) -> bool:
        """Tell whether a saga is there and has not ended."""
        try:
            return saga_id is not None and self._log.read_status(saga_id) not in ENDED
        except UnknownSaga:
            return False


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1000, UTC) + timedelta(
        milliseconds=milliseconds % 1000
    )


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
