"""The schedules of a rehearsal, fired by the code of a worker's sweep."""

from datetime import UTC, datetime
from typing import Any

from celery import Celery

from amends.log.saga_log import log_of
from amends.scheduling.definition import Schedule
from amends.scheduling.firing import Firing
from amends.testing.clock import Clock


class Timetable:
    """The schedules that a test has named."""

    def __init__(self, app: Celery, clock: Clock) -> None:
        self._log = log_of(app).schedules
        self._clock = clock
        self._schedules: list[Schedule[Any, Any]] = []
        self._firing = Firing(app, now=lambda: clock.now, fires=lambda: self._schedules)

    def __bool__(self) -> bool:
        return bool(self._schedules)

    def add(self, schedule: Schedule[Any, Any]) -> None:
        """Define a schedule, as a worker does that starts now; one that is there already stays."""
        if schedule not in self._schedules:
            self._schedules.append(schedule)
            self._firing.run_once()

    def fire(self) -> None:
        """Fire what is due by the clock."""
        while self._firing.run_once():
            pass

    @property
    def wakes_at(self) -> float | None:
        """When something may be due next, None if nothing is."""
        moments = map(self._due_at, self._schedules)
        return min((each for each in moments if each > self._clock.now), default=None)

    def _due_at(self, schedule: Schedule[Any, Any]) -> float:
        """Return when a schedule has its next tick, or gives up the one that waits; 0 if the log has none of that name."""
        state = self._log.read_schedule(schedule.name)
        if state is None:
            return 0.0
        cursor = datetime.fromtimestamp(state.cursor / 1000, UTC)
        due = state.decided / 1000 if state.decided else schedule.ticks.after(cursor).timestamp()
        return due if due > self._clock.now else due + schedule.catch_up
