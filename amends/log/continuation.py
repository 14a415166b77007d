"""What follows a transition of a saga, a class for each answer.

`said` is the word by which a script answers it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from amends.log.claim import Run


@dataclass(frozen=True)
class GoOn:
    """The chain's next link may run."""

    said: ClassVar[str] = "go"


@dataclass(frozen=True)
class Delivered:
    """The next message is in its queue already: the script delivered it."""

    said: ClassVar[str] = "delivered"


@dataclass(frozen=True)
class Claimed:
    """The chain's next link may run, and is claimed for the same task."""

    run: Run
    said: ClassVar[str] = "run"


@dataclass(frozen=True)
class Advance:
    """Something else remains than the chain's next link: `number` is for the message that publishes it."""

    number: int
    said: ClassVar[str] = "advance"


@dataclass(frozen=True)
class RetryAfter:
    """The record waits for its next attempt, after so many `tries`."""

    tries: int
    said: ClassVar[str] = "retry"


@dataclass(frozen=True)
class AtRest:
    """The saga has ended, is stuck or paused: nothing follows."""

    said: ClassVar[str] = "end"


@dataclass(frozen=True)
class Late:
    """It came too late, and nothing was recorded: the claim was lost, or a saga to cancel has turned already."""

    said: ClassVar[str] = "late"


@dataclass(frozen=True)
class Lacking:
    """The record at `path` cannot be skipped without an output."""

    path: str
    said: ClassVar[str] = "lacking"


Continuation = GoOn | Delivered | Claimed | Advance | RetryAfter | AtRest | Late | Lacking

_PLAIN: Final[Mapping[str, Continuation]] = {
    each.said: each for each in (GoOn(), Delivered(), AtRest(), Late())
}


def read_continuation(answer: Sequence[Any]) -> Continuation:
    """Read what a script answered, but for a claim."""
    match answer:
        case [Advance.said, number]:
            return Advance(int(number))
        case [RetryAfter.said, tries]:
            return RetryAfter(int(tries))
        case [Lacking.said, path]:
            return Lacking(path)
    return _PLAIN[answer[0]]
