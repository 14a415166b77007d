"""The time line of a saga: bars for calls, waits and queues, a row for each record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from amends.cli.formatting import duration
from amends.diagnosis.saga.times.segments import Cause, Segment, Times

WORDS: Final[Mapping[Cause, str]] = {
    Cause.CALL: "in calls",
    Cause.LOST: "in calls whose process was lost",
    Cause.QUEUE: "in the queue",
    Cause.RELAY: "between messages",
    Cause.MESSAGE: "without a message",
    Cause.RETRY: "waiting for a retry",
    Cause.CIRCUIT: "waiting for the circuit",
    Cause.SIGNAL: "waiting for signals",
    Cause.DELAY: "waiting for a time",
    Cause.CHILD: "waiting for a child",
    Cause.UNREGISTERED: "at workers without the task",
    Cause.PAUSED: "paused",
    Cause.STUCK: "stuck",
    Cause.ENDED: "ended, before its parent turned it back",
    Cause.FOLDED: "in folded events",
    Cause.UNEXPLAINED: "unexplained",
}

WIDTH: Final = 1000
_LABEL, _ROW, _TOP = 220, 22, 18  # px of the drawing
_LEAST: Final = 1.5  # px that a bar is wide at least
_MOST_ROWS: Final = 40
_TICKS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar: where it is in the drawing, the class of its colour, and what it says."""

    x: float
    width: float
    cause: Cause
    text: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """The bars of a record."""

    name: str
    y: int
    bars: Sequence[Bar]


class TimeLine:
    """Where the time of a saga went, drawn.

    times: its account.
    """

    label: Final = _LABEL
    width: Final = WIDTH

    def __init__(self, times: Times) -> None:
        self._times = times
        self._scale = (WIDTH - _LABEL) / max(times.total, 0.001)
        of: dict[str, list[Segment]] = {}
        for each in times.segments:
            of.setdefault(each.record or "the saga", []).append(each)
        named = [*of.items()]
        self.left_out = max(0, len(named) - _MOST_ROWS)
        self.rows = [
            Row(name=name, y=_TOP + k * _ROW, bars=[self._bar(each) for each in segments])
            for k, (name, segments) in enumerate(named[:_MOST_ROWS])
        ]

    @property
    def height(self) -> int:
        """Of the drawing, in px."""
        return _TOP + len(self.rows) * _ROW + 4

    @property
    def total(self) -> str:
        """How long it took, or takes until now."""
        return duration(self._times.total)

    @property
    def is_over(self) -> bool:
        """Whether the saga has ended."""
        return self._times.is_over

    @property
    def shares(self) -> Sequence[tuple[Cause, str]]:
        """Where the time went, the longest first, in words."""
        return [
            (each.cause, f"{duration(each.seconds)} {_words(each.cause, each.name)}")
            for each in self._times.shares
        ]

    @property
    def ticks(self) -> Sequence[tuple[float, str]]:
        """Moments of the axis: where each is, and seconds from the start."""
        total = self._times.total
        shares = [k / _TICKS for k in range(_TICKS + 1)]
        return [(_LABEL + share * (WIDTH - _LABEL), duration(share * total)) for share in shares]

    def _bar(self, of: Segment) -> Bar:
        where = f", attempt {of.attempt}" if of.attempt else ""
        who = f" at {of.worker}" if of.worker else ""
        return Bar(
            x=round(_LABEL + (of.start - self._times.start) * self._scale, 2),
            width=round(max(_LEAST, of.seconds * self._scale), 2),
            cause=of.cause,
            text=f"{duration(of.seconds)} {_words(of.cause, of.name)}{where}{who}",
        )


def _words(cause: Cause, name: str | None) -> str:
    return f"{WORDS[cause]} {name}" if name else WORDS[cause]
