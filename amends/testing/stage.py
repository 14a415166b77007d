"""The stage of a rehearsal: an app without a broker, a log of its own, and a clock that skips the waits."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from importlib.util import find_spec
from typing import Any, Final, cast

from celery import Celery
from celery.result import AsyncResult

from amends.backend.celery_apps import current_everywhere, current_task_class, is_current
from amends.backend.client import client_of
from amends.dispatch.in_process import InProcessRun
from amends.dispatch.messages import ADVANCE
from amends.errors import ConfigurationError
from amends.scheduling.definition import Schedule
from amends.testing.clock import Clock, keep_time
from amends.testing.script import Abandoned
from amends.testing.timetable import Timetable

Play = Callable[[str, Callable[..., Any], list[Any]], Any]
"""How a function is called: with its record's path, the function and its arguments."""

_MOST_CALLS: Final = 2_000
_SCHEDULES: Final = ":schedules"  # whose turn it is when no saga's: no saga is called so


class _Waits(Exception):  # noqa: N818 - no error: a saga is left until its time has come
    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class _App(Celery):
    """A Celery app whose messages go nowhere: of a saga's, `deliver` is told the saga."""

    plays_messages = True

    def __init__(self, deliver: Callable[[str], None]) -> None:
        options = {"set_as_current": False, "fixups": [], "task_cls": current_task_class()}
        super().__init__("rehearsal", broker="memory://", **options)
        self._deliver = deliver

    def send_task(  # type: ignore[override]  # Celery's options are of no use here
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AsyncResult[Any]:
        """Let the saga go on that this message is for; run any other task here and now."""
        if name == ADVANCE or (not args and kwargs and kwargs.keys() == {"saga_id", "step"}):
            self._deliver((kwargs or {})["saga_id"])
            return self.AsyncResult(options.get("task_id") or secrets.token_hex(8))
        return self.tasks[name].apply(
            tuple(args or ()), dict(kwargs or {}), task_id=options.get("task_id")
        )


class Stage:
    """Plays sagas, each until it ends, and fires schedules, in the order of the times at which they go on."""

    def __init__(self, *, clock: Clock, play: Play) -> None:
        if find_spec("fakeredis") is None or find_spec("lupa") is None:
            raise ConfigurationError(
                "a rehearsal keeps the saga log in this process, and needs fakeredis with Lua:"
                " pip install 'amends[testing]'"
            )
        self.app: Celery = _App(self._deliver)
        self.app.conf.amends_backend = f"memory://{secrets.token_hex(8)}"
        self.app.conf.amends_monitor_events = False
        self.app.conf.amends_http_url = "https://rehearsal.invalid/links"
        self.app.conf.amends_http_key = secrets.token_urlsafe(32)
        self._client = client_of(self.app.conf.amends_backend)
        keep_time(cast("Any", self._client), clock)
        self._clock = clock
        self._play = play
        self._timetable = Timetable(self.app, clock)
        self._due: dict[str, float] = {}
        self._runs: dict[str, InProcessRun] = {}
        self._wanted: set[str] = set()
        self._until: float | None = None
        self._counts: Counter[tuple[str, str]] = Counter()
        self._turn_of: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether its app is this thread's current one."""
        return is_current(self.app)

    def opened(self) -> AbstractContextManager[None]:
        """Make its app the current one, and give back what was.

        Also of other threads, for a web framework calls the code under test in threads of its own.
        """
        return current_everywhere(self.app)

    def limit(self, seconds: float | None) -> None:
        """Go on for so long from now, by the clock; None is until everything asked for has ended."""
        if self._turn_of:
            return  # an action starts another saga, which has its turn later
        self._until = None if seconds is None else self._clock.after(seconds)

    def use(self, schedule: Schedule[Any, Any]) -> None:
        """Fire the ticks of this schedule from now on."""
        self._timetable.add(schedule)

    def advance(self, seconds: float) -> None:
        """Let time pass, and every saga do what falls due in it; in the middle of one, time alone."""
        if self._turn_of:
            self._clock.advance(seconds)
            return
        until = self._clock.after(seconds)
        self._until = until
        self._wanted.update(self._due, [_SCHEDULES])
        self._go_on()
        self._clock.reach(until)

    def _deliver(self, saga_id: str) -> None:
        self._due[saga_id] = self._clock.now
        if self._turn_of is None or self._turn_of in self._wanted:
            self._wanted.add(saga_id)
        self._run_of(saga_id).look_again()
        if self._turn_of is None:
            self._go_on()

    def _go_on(self) -> None:
        self._counts.clear()
        self._look_at_schedules()
        try:
            while self._wanted & self._due.keys():
                whose = self._turn_of = min(self._due, key=lambda each: self._due[each])
                if self._until is not None and self._due[whose] > self._until:
                    self._clock.reach(self._until)
                    return
                self._clock.reach(self._due.pop(whose))
                if whose == _SCHEDULES:
                    self._fire()
                else:
                    self._turn(whose)
        except Abandoned as abandoned:
            raise abandoned.__cause__ or abandoned from None
        finally:
            self._turn_of = self._until = None
            self._wanted.clear()

    def _look_at_schedules(self) -> None:
        """Have schedules look for what is due: a tick may have waited for what has just happened."""
        if self._timetable:
            self._due[_SCHEDULES] = self._clock.now

    def _fire(self) -> None:
        self._timetable.fire()
        if (moment := self._timetable.wakes_at) is not None:
            self._due[_SCHEDULES] = moment

    def _turn(self, saga_id: str) -> None:
        """Play a saga until it waits or ends. One that waits for a signal is left there, unless time is to pass."""
        run = self._run_of(saga_id)
        try:
            run.go_on()
        except _Waits as waits:
            self._due[saga_id] = self._clock.after(waits.seconds)
            return
        if run.wakes_at is not None:
            self._due[saga_id] = self._clock.after(run.wakes_at - self._clock.now)
            if self._until is None:
                self._wanted.discard(saga_id)
        else:
            self._look_at_schedules()

    def _run_of(self, saga_id: str) -> InProcessRun:
        if saga_id not in self._runs:
            self._runs[saga_id] = InProcessRun(
                self.app,
                saga_id,
                sleep=_leave,
                now=lambda: self._clock.now,
                call=partial(self._call, saga_id),
            )
        return self._runs[saga_id]

    def _call(
        self, saga_id: str, path: str, function: Callable[..., Any], arguments: list[Any]
    ) -> Any:
        self._counts[saga_id, path] += 1
        if self._counts[saga_id, path] > _MOST_CALLS:
            raise Abandoned from RuntimeError(
                f"{path} is still tried after {_MOST_CALLS} calls: let it succeed, give its saga a timeout or"
                " the activity a max_attempts, or rehearse a part with run(..., within=seconds)"
            )
        return self._play(path, function, arguments)


def _leave(seconds: float) -> None:
    raise _Waits(seconds)
