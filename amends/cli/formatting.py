"""Times, states and waits as text, and times read from text."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import click

from amends.cli.table import Cell
from amends.diagnosis.saga.kin import ChildFailure
from amends.log.queries.open_waits import OpenWait

_UNPRINTABLE: Final = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Beside those that JSON escapes: C1 controls, separators of lines, and what turns the direction of a text."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_STYLES: Final[dict[str, dict[str, Any]]] = {
    "stuck": {"fg": "red", "bold": True},
    "compensating": {"fg": "yellow"},
    "compensated": {"fg": "blue"},
    "running": {"fg": "cyan"},
    "waiting": {"fg": "cyan"},
    "done": {"fg": "green"},
    "completed": {"fg": "green"},
    "failed": {"fg": "red"},
    "unknown": {"fg": "magenta"},
    "skipped": {"fg": "blue"},
    "pending": {"dim": True},
}


def state_cell(state: str, text: str | None = None) -> Cell:
    """Show a saga's status or a step's state in its colour; `text` is what is written, if not its name."""
    return Cell(state if text is None else text, _STYLES.get(state, {}))


def json_text(document: Any, *, indent: int | None = None) -> str:
    """Write JSON whose text is readable, and of which a terminal obeys nothing."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def duration(seconds: float) -> str:
    """Tell a time span in its two largest units: ``3m 20s``; under ten seconds with a tenth."""
    if seconds < 10:  # noqa: PLR2004
        return f"{max(seconds, 0.0):.1f}s"
    left = round(seconds)
    parts: list[str] = []
    for unit, size in reversed(_UNITS.items()):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count}{unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0"))


def moment(at: float) -> str:
    """Tell a moment, seconds since 1970, in UTC to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def date(at: float) -> str:
    """Tell the day of a moment, in UTC."""
    return moment(at)[:10]


def clock_time(at: float) -> str:
    """Tell the time of day of a moment, in UTC, to the millisecond."""
    return moment(at)[11:-1]


def seconds_of(text: str) -> float:
    """Read a time span as `time_span` does. An option's type."""
    try:
        return time_span(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def time_span(text: str) -> float:
    """Read a time span: ``90s``, ``10m``, ``1h30m``, ``2d``; a bare number is seconds. Raises ``ValueError``."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd])+", text):
        raise ValueError(f"{text!r} is no time span; write 90s, 10m, 1h30m or 2d")
    pieces = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    return sum(float(count) * _UNITS[unit] for count, unit in pieces)


def clock(at: float, now: float) -> str:
    """Tell a moment as UTC to the second, without the day where that is today's."""
    text = moment(at)[:19] + "Z"
    return text[11:] if text[:10] == moment(now)[:10] else text.replace("T", " ")


def wait_words(wait: OpenWait, left: float | None) -> Iterator[str]:
    """Say in a few words how far a wait is.

    left: seconds until it is over at the latest, None where no time ends it.
    """
    yield from words_of(wait.wanted, wait.signals, left)


def words_of(wanted: int, signals: int, left: float | None) -> Iterator[str]:
    """Say how many of several signals came, and how long it lasts yet."""
    if wanted > 1:
        yield f"{signals} of {wanted} signals"
    if left is not None:
        yield f"{duration(left)} left" if left else "over now"


def waits_for(wait: OpenWait) -> str:
    """Say what a wait is for."""
    if not wait.wanted:
        return "a time"
    if wait.wanted == 1:
        return "its signal"
    return f"{wait.wanted} signals, and has {wait.signals}"


def at_its_end(wait: OpenWait, *, has_passed_pivot: bool) -> str:
    """Say what the saga does when the time of a wait is over."""
    if not wait.wanted:
        return "it goes on"
    failure = ChildFailure(
        on_failure=wait.on_timeout, outcome=wait.outcome, has_passed_pivot=has_passed_pivot
    )
    return at_a_failure("it", failure)


def at_a_failure(who: str, failure: ChildFailure) -> str:
    """Say what a saga does once what it waits for has failed."""
    if failure.on_failure == "continue":
        return f"{who} goes on without"
    return (
        f"{who} is stuck" if failure.has_passed_pivot else f"{who} turns back as {failure.outcome}"
    )
