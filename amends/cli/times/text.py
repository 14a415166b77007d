"""Where the time of a saga went, in words."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from amends.cli.formatting import duration
from amends.cli.table import Cell
from amends.diagnosis.saga.times.segments import Cause, Share, Times

_MOST: Final = 6  # shares that are told one by one
_LEAST: Final = 0.05  # seconds: what `duration` shows as 0.1s
_PART: Final = 0.01  # of the total: what is less is not told one by one

_WORDS: Final = {
    Cause.CALL: "in calls",
    Cause.LOST: "in calls whose process was lost",
    Cause.QUEUE: "in a queue",
    Cause.RELAY: "until what came next was published",
    Cause.MESSAGE: "until a lost message was published again",
    Cause.RETRY: "for retries",
    Cause.CIRCUIT: "for a circuit breaker",
    Cause.SIGNAL: "for a signal",
    Cause.DELAY: "for a time",
    Cause.CHILD: "for a child",
    Cause.UNREGISTERED: "for a worker that knows its task",
    Cause.PAUSED: "paused",
    Cause.STUCK: "stuck",
    Cause.ENDED: "at an end, until its parent turned it back",
    Cause.FOLDED: "in events that its history keeps as one",
    Cause.UNEXPLAINED: "unexplained",
}
_NAMED: Final = {
    Cause.QUEUE: "in the queue {}",
    Cause.CIRCUIT: "for the circuit {}",
    Cause.SIGNAL: "for the signal {}",
    Cause.CHILD: "for the child {}",
}
_BRIEF: Final = {
    Cause.LOST: "lost",
    Cause.QUEUE: "queue",
    Cause.RELAY: "relay",
    Cause.MESSAGE: "lost message",
    Cause.RETRY: "retry",
    Cause.CIRCUIT: "circuit",
    Cause.SIGNAL: "signal",
    Cause.DELAY: "time",
    Cause.CHILD: "child",
    Cause.UNREGISTERED: "unknown task",
    Cause.PAUSED: "paused",
    Cause.STUCK: "stuck",
    Cause.ENDED: "ended",
    Cause.FOLDED: "folded",
    Cause.UNEXPLAINED: "unexplained",
}


def times_sentence(times: Times) -> str:
    """Say how long a saga took, or has lasted, and on what."""
    total = duration(times.total)
    before = f"It took {total}" if times.is_over else f"So far {total}"
    return f"{before}: {_told(times)}." if times.path else f"{before}."


def times_lines(times: Times, *, width: int | None) -> list[str]:
    """Say the same in lines of at most `width` columns, where there is one."""
    sentence = times_sentence(times)
    if width is None:
        return [sentence]
    return textwrap.wrap(sentence, width, break_long_words=False, break_on_hyphens=False)


def _told(times: Times) -> str:
    least = max(_LEAST, times.total * _PART)
    told = [each for each in times.shares if each.seconds >= least][:_MOST]
    told = told or [*times.shares[:1]]
    rest = sum(each.seconds for each in times.shares[len(told) :])
    said = [_said(each, is_folded=times.is_folded) for each in told]
    return ", ".join([*said, *([f"{duration(rest)} on other things"] if rest >= _LEAST else [])])


def _said(share: Share, *, is_folded: bool) -> str:
    least = "at least " if is_folded and share.cause is not Cause.FOLDED else ""
    return f"{least}{duration(share.seconds)} {_words(share)}"


def _words(share: Share) -> str:
    if share.name and share.cause in _NAMED:
        return _NAMED[share.cause].format(share.name)
    return _WORDS[share.cause]


class StepTimes:
    """The cells *took* and *waited* of steps."""

    def __init__(self, times: Times) -> None:
        self._by_record = times.by_record

    def cells(self, paths: Iterable[str]) -> list[Cell | str]:
        """Give the cells of records that have a row together: the time of their attempts, and what else, by cause."""
        shares = [share for path in paths for share in self._by_record.get(path, ())]
        calls = [each.seconds for each in shares if each.cause is Cause.CALL]
        took, waited = duration(sum(calls)) if calls else "", ", ".join(_brief(shares))
        if not waited:
            return [took] if took else []
        return [took, Cell(waited, {"dim": True})]


def _brief(shares: Sequence[Share]) -> Iterator[str]:
    sums: dict[Cause, float] = {}
    for each in shares:
        if each.cause is not Cause.CALL:
            sums[each.cause] = sums.get(each.cause, 0.0) + each.seconds
    for cause, seconds in sorted(sums.items(), key=lambda item: -item[1]):
        if seconds >= _LEAST:
            yield f"{duration(seconds)} {_BRIEF[cause]}"
