"""When a schedule is due: every so many seconds, or by a crontab in a time zone whose clock may change.

A tick is a moment in UTC, a whole second. Two workers that ask for the tick after a moment get the same one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from celery.schedules import crontab

from amends.definition.numbers import is_number
from amends.definition.plans import LONGEST
from amends.errors import DefinitionError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_HOURS: Final = 24
_LONGEST_GAP: Final = timedelta(hours=4)
"""The furthest that a clock is put forward at once."""


class Ticks(Protocol):
    """The ticks of a schedule."""

    text: str  #: How a person reads it.

    @property
    def zone(self) -> tzinfo:
        """By whose clock it is read."""

    def after(self, moment: datetime) -> datetime:
        """Return the first tick after a moment, in UTC: Python compares two times of one zone by what the clock shows."""


def ticks_between(ticks: Ticks, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the ticks after a moment, up to another one and that one too, in UTC."""
    tick, until = ticks.after(after), until.astimezone(UTC)
    while tick <= until:
        yield tick
        tick = ticks.after(tick)


class Interval:
    """A tick every so many seconds, counted from 1970, so that all workers count alike."""

    zone = UTC

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self.text = f"every {seconds} s"

    def after(self, moment: datetime) -> datetime:
        """Return the first tick after a moment, in UTC."""
        whole = (moment - _EPOCH) // _SECOND
        return _EPOCH + timedelta(seconds=(whole // self._seconds + 1) * self._seconds)


class _WallClock(crontab):
    """A crontab of a clock on a wall, which knows no zone: Celery takes its times for UTC, whose clock never changes."""

    tz = UTC  # type: ignore[assignment]  # celery-types' word for it

    def now(self) -> datetime:
        """Return the moment that Celery counts from: always the same, so that nothing depends on when it is asked."""
        return _EPOCH

    def next(self, wall: datetime) -> datetime:
        """Return the first time after a time, both without a zone."""
        found = _EPOCH + self.remaining_estimate(wall.replace(tzinfo=UTC))
        return found.replace(tzinfo=None)


class Cron:
    """The ticks of a crontab in a time zone.

    Where its hours are all hours of the day, it goes by the time that passes: each minute that it names is a tick, in an hour
    that the clock repeats in both. Otherwise it names times of the day, each of which comes once: in the repeated hour the
    first time, and one that the clock leaves out as long after the gap's beginning as it is behind it. Two that come to
    the same moment are one tick.
    """

    def __init__(self, cron: Any, zone: tzinfo) -> None:
        _, fields, *_ = cron.__reduce__()
        self._wall = _WallClock(*fields)
        self.zone = zone
        self._next = self._next_minute if len(cron.hour) == _HOURS else self._next_named
        minute, hour, day_of_week, day_of_month, month = (str(each) for each in fields)
        self.text = f"{minute} {hour} {day_of_month} {month} {day_of_week} {zone}"

    def after(self, moment: datetime) -> datetime:
        """Return the first tick after a moment, in UTC. Raises ``RuntimeError``, Celery's, if there is none."""
        return self._next(moment.astimezone(UTC))

    def _next_minute(self, after: datetime) -> datetime:
        """Return the first moment whose local time the crontab names, by one offset up to where the clock changes."""
        offset = self._offset(after)
        found = self._of_wall(self._wall.next(self._local(after, offset)), offset)
        if self._offset(found) == offset:
            return found
        change = self._change(after, found)
        # From the last second before it on the new clock.
        before, offset = change - _SECOND, self._offset(change)
        return self._of_wall(self._wall.next(self._local(before, offset)), offset)

    def _next_named(self, after: datetime) -> datetime:
        """Return the first moment after this one that a named time comes to."""
        offset = self._offset(after)
        # Times that the clock has just left out may come still.
        gap = max(timedelta(0), offset - self._offset(after - _LONGEST_GAP))
        wall = self._local(after, offset) - gap
        while True:
            wall = self._wall.next(wall)
            found = self._moment(wall)
            if found > after:
                break
        limit = wall + self._gap_at(
            wall, found
        )  # later times may come sooner than one that was left out
        while (wall := self._wall.next(wall)) < limit:
            if (sooner := self._moment(wall)) > after:
                found = min(found, sooner)
        return found

    def _moment(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=self.zone, fold=0).astimezone(UTC)

    def _gap_at(self, wall: datetime, moment: datetime) -> timedelta:
        """Return by how much the clock left this time out, 0 if it did not."""
        return moment.astimezone(self.zone).replace(tzinfo=None) - wall

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta(0)

    @staticmethod
    def _local(moment: datetime, offset: timedelta) -> datetime:
        return moment.replace(tzinfo=None) + offset

    @staticmethod
    def _of_wall(wall: datetime, offset: timedelta) -> datetime:
        return (wall - offset).replace(tzinfo=UTC)

    def _change(self, before: datetime, after: datetime) -> datetime:
        """Return the second at which the clock changes, between two moments of which the first has another offset."""
        offset = self._offset(before)
        low, high = (before - _EPOCH) // _SECOND, -((_EPOCH - after) // _SECOND)
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(_EPOCH + timedelta(seconds=middle)) == offset:
                low = middle
            else:
                high = middle
        return _EPOCH + timedelta(seconds=high)


def ticks_of(
    where: str, *, every: float | None, cron: crontab | None, time_zone: str | None
) -> Ticks:
    """Return the ticks that a definition names. Raises `DefinitionError`."""
    if (every is None) == (cron is None):
        raise DefinitionError(f"{where}: say every= or cron=, one of them")
    if every is not None:
        if time_zone is not None:
            raise DefinitionError(
                f"{where}: time_zone= is of cron=; every= counts seconds, which are the same in every zone"
            )
        if not (is_number(every) and 1 <= every <= LONGEST and every == int(every)):
            raise DefinitionError(
                f"{where}: every is {every!r}, not a whole number of seconds, ten years at most"
            )
        return Interval(int(every))
    if not isinstance(cron, crontab):
        raise DefinitionError(
            f"{where}: cron is {cron!r}, not a crontab, as in cron=crontab(minute=0, hour=2) of celery.schedules"
        )
    try:
        zone = ZoneInfo(time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DefinitionError(
            f"{where}: there is no time zone {time_zone!r} on this machine; its name is like 'Europe/Berlin'"
            " (pip install tzdata where the system has none)"
        ) from error
    ticks = Cron(cron, zone)
    try:
        ticks.after(datetime(2000, 1, 1, tzinfo=UTC))
    except RuntimeError as error:
        raise DefinitionError(f"{where}: {ticks.text} names no day that there is") from error
    return ticks
