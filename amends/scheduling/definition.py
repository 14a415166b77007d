"""The definition of a schedule: what saga it starts, when, with which input, and what it does about the one before."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any, Final, Generic, Literal, TypeVar, get_args

from celery.app import app_or_default
from celery.schedules import crontab
from pydantic import BaseModel

from amends.definition.itinerary import is_saga_id
from amends.definition.numbers import is_number
from amends.definition.plans import LONGEST
from amends.definition.serialization import canonical_json
from amends.errors import DefinitionError, SagaAlreadyStarted, UnknownSchedule
from amends.log.saga_log import SagaLog, log_of
from amends.log.schedules.state import ScheduleEvent, ScheduleState
from amends.saga.definition import Saga
from amends.saga.handle import Handle
from amends.scheduling.inputs import told_of
from amends.scheduling.ticks import ticks_between, ticks_of

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)

Overlap = Literal["skip", "queue", "allow", "cancel"]

MOST_BACKFILLED: Final = 1_000
"""Ticks that one backfill starts sagas for."""

_LONGEST_NAME: Final = 100
_LEAST_CATCH_UP: Final = 60.0


class Schedule(Generic[Input, Output]):
    """A schedule: it starts a saga at each of its ticks, by the sweep of any worker that imports it.

    The id of a saga that it starts is ``<name>-<time it was due>``, so that each tick starts one saga, whoever fires it.

    name: 1 to 100 letters, digits, ``.``, ``_`` and ``-``, the first a letter or digit; unique in the saga log.
    saga: the saga that it starts.
    every: seconds between two ticks, whole and counted from 1970 (3600: each full hour); or
    cron: Celery's ``crontab``. Where it is for all hours, it goes by the time that passes; otherwise it names times of the
        day, each of which comes once, also where a clock is put forward or back: see docs/schedules.md.
    input: the input of each saga, or a function that returns it for the tick's time, an aware datetime in `time_zone`. Asked
        again for the same tick it has to return the same.
    time_zone: of `cron`, an IANA name; UTC by default.
    overlap: what a tick does whose predecessor's saga has not ended: ``"skip"`` (the default) passes the tick by, ``"queue"``
        waits until it has, ``"cancel"`` cancels it and waits, ``"allow"`` starts another one. One that is stuck has not ended.
    catch_up: for how many seconds a tick is made up for, where no worker could fire it, the oldest first; from 60 on, ten years
        at most.

    Raises `DefinitionError`.
    """

    def __init__(
        self,
        name: str,
        saga: Saga[Input, Output],
        *,
        every: float | None = None,
        cron: crontab | None = None,
        input: Input | Callable[[datetime], Input],  # noqa: A002 - the word that a reader expects
        time_zone: str | None = None,
        overlap: Overlap = "skip",
        catch_up: float = 3600.0,
    ) -> None:
        where = f"schedule {name!r}"
        if not is_saga_id(name) or len(name) > _LONGEST_NAME:
            raise DefinitionError(
                f"{where}: a name is 1 to {_LONGEST_NAME} letters, digits, '.', '_' or '-', the first a letter or digit"
            )
        if not isinstance(saga, Saga):
            raise DefinitionError(f"{where}: {saga!r} is no Saga")
        if overlap not in get_args(Overlap):
            raise DefinitionError(
                f"{where}: overlap is {overlap!r}, not one of {get_args(Overlap)}"
            )
        if not (is_number(catch_up) and _LEAST_CATCH_UP <= catch_up <= LONGEST):
            raise DefinitionError(
                f"{where}: catch_up is {catch_up!r} seconds, and workers sweep every few seconds: give it {_LEAST_CATCH_UP:.0f} or more,"
                " ten years at most"
            )
        if isinstance(input, type) or not (callable(input) or isinstance(input, saga.input)):
            raise DefinitionError(
                f"{where}: input is {input!r}, not a {saga.input.__name__} or a function that returns one for the tick's time"
            )
        self.name = name
        self.saga = saga
        self.overlap = overlap
        self.catch_up = catch_up
        self.ticks = ticks_of(where, every=every, cron=cron, time_zone=time_zone)
        self._input = input
        _register(self)

    def __repr__(self) -> str:
        return f"<Schedule {self.name}: {self.saga.name} {self.ticks.text}>"

    @cached_property
    def text(self) -> str:
        """What the log keeps of it, JSON."""
        told: Mapping[str, Any] = {
            "saga": self.saga.name,
            "when": self.ticks.text,
            "overlap": self.overlap,
            "catch_up": self.catch_up,
        }
        return canonical_json(told)

    @cached_property
    def identity(self) -> object:
        """What tells it from another definition; the same one's stays once its module is loaded again."""
        return self.digest, told_of(self._input)

    @cached_property
    def digest(self) -> str:
        """Names what the log keeps of it."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()[:12]

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield its ticks after a moment, up to another one and that too, in its time zone."""
        for tick in ticks_between(self.ticks, after, until):
            yield tick.astimezone(self.ticks.zone)

    def input_of(self, tick: datetime) -> Input:
        """Return the input of a tick's saga. Raises what its function does."""
        if isinstance(self._input, BaseModel):
            return self._input
        return self._input(tick.astimezone(self.ticks.zone))

    def id_of(self, tick: datetime) -> str:
        """Return the id of a tick's saga."""
        return f"{self.name}-{tick.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    def start(self, tick: datetime, *, is_spread: bool = True) -> Handle[Output]:
        """Start a tick's saga, or find it: the same tick is the same saga, also if its input was another one then.

        is_spread: whether it begins as much later as `amends_timer_spread` says. Raises what `Saga.start` does, and what the input's function does.
        """
        saga_id = self.id_of(tick)
        try:
            return self.saga.start(
                self.input_of(tick), saga_id=saga_id, at=tick if is_spread else None
            )
        except SagaAlreadyStarted as error:
            if error.name != self.saga.name:
                raise
            return self.saga.get(saga_id)

    # What an operator does

    def state(self) -> ScheduleState:
        """Return how it stands in the log. Raises `UnknownSchedule` and `LogUnavailable`."""
        state = self._log.schedules.read_schedule(self.name)
        if state is None:
            raise UnknownSchedule(self.name)
        return state

    def history(self) -> list[ScheduleEvent]:
        """Return its last events, the oldest first: what was late, skipped, missed or failed, and what operators did."""
        return list(self._log.schedules.read_history(self.name))

    def pause(self, *, by: str | None = None, why: str | None = None) -> None:
        """Start nothing until `resume`; what is due meanwhile is passed by. Raises `UnknownSchedule` and `LogUnavailable`."""
        self._log.schedules.pause_schedule(self.name, _actor(by, why))

    def resume(self, *, by: str | None = None, why: str | None = None) -> None:
        """Go on with the next tick from now. Raises what `pause` does."""
        self._log.schedules.resume_schedule(self.name, _actor(by, why))

    def trigger(self, *, by: str | None = None, why: str | None = None) -> Handle[Output]:
        """Start its saga now, whatever `overlap` says and also while it is paused, with this second for its tick.

        Raises what `start` does, `UnknownSchedule` and `LogUnavailable`.
        """
        now = datetime.fromtimestamp(int(self.state().now), UTC)
        handle = self.start(now, is_spread=False)
        self._log.schedules.note_triggered(
            self.name,
            "schedule.triggered",
            count=1,
            last=handle.id,
            saga=handle.id,
            **_actor(by, why),
        )
        return handle

    def backfill(
        self,
        since: datetime,
        until: datetime,
        *,
        by: str | None = None,
        why: str | None = None,
    ) -> list[Handle[Output]]:
        """Start the saga of each tick from `since` to `until`, both aware and included, that has none; return all of them.

        They begin at once, whatever `overlap` says. Raises ``ValueError`` for more than 1,000 ticks, and what `trigger` does.
        """
        if since.utcoffset() is None or until.utcoffset() is None:
            raise ValueError("backfill: give both times a time zone, as in 2027-01-31T00:00+01:00")
        self.state()
        before = since.astimezone(UTC) - timedelta(microseconds=1)
        ticks = list(islice(ticks_between(self.ticks, before, until), MOST_BACKFILLED + 1))
        if len(ticks) > MOST_BACKFILLED:
            raise ValueError(
                f"backfill: there are more than {MOST_BACKFILLED} ticks from {since} to {until}; do it in parts"
            )
        handles = [self.start(tick) for tick in ticks]
        if handles:
            told = {"first": handles[0].id, "until": handles[-1].id, **_actor(by, why)}
            self._log.schedules.note_triggered(
                self.name, "schedule.backfilled", count=len(handles), **told
            )
        return handles

    @property
    def _log(self) -> SagaLog:
        return log_of(app_or_default())


def _actor(by: str | None, why: str | None) -> dict[str, str]:
    return {name: value for name, value in {"by": by, "why": why}.items() if value is not None}


KNOWN: Final[dict[str, Schedule[Any, Any]]] = {}
"""The schedules that this process has imported, by name."""


def _register(schedule: Schedule[Any, Any]) -> None:
    """Note a schedule. Raises `DefinitionError` for a second one of a name; the same one again is a module that was reloaded."""
    before = KNOWN.get(schedule.name)
    if before is not None and before.identity != schedule.identity:
        raise DefinitionError(
            f"schedule {schedule.name!r}: there is another one of this name, {before!r}; sagas are called by it: name it otherwise"
        )
    KNOWN[schedule.name] = schedule


def schedules() -> Sequence[Schedule[Any, Any]]:
    """Return the schedules that this process has imported, by name."""
    return [KNOWN[name] for name in sorted(KNOWN)]
