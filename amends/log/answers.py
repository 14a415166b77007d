"""Answers of the log to the process that carries a saga on: to a claim, to the end of an attempt, to a dispatch.

Times are seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self

from pydantic_core import from_json

from amends.definition.itinerary import Itineraries, Itinerary, Sources
from amends.log.in_flight import Parked, Running, Waiting

LOOK_AGAIN: Final = 10
"""Seconds between two looks at a running record."""

Cost = Literal["attempt", "death", "worker_death", "nothing", "unreadable"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of a record."""

    token: str  #: Names this claim; a repeated call with the same token is the same claim.
    owner: str  #: As `Owner.format` writes it.
    retries: int  #: Celery's retries of the message.


@dataclass(frozen=True, kw_only=True)
class Run:
    """A claim's answer: this token holds the record now."""

    itinerary: Itinerary
    attempts: int  #: Attempts made before.
    spent: int  #: Attempts made since an operator last renewed the budget.
    tries: int  #: Claims that ended unfinished.
    worker_deaths: int  #: Claims that ended with their whole worker, before it ran apart.
    time_left: float  #: Until the log gives the attempt up.
    saga_time_left: float | None  #: Until the saga's deadline, None without one.
    sources: Sources
    compensated_output: Any  #: Output of the record that this one compensates, None if unknown.

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        attempts, spent, tries, worker_deaths, given_up_in, left, output, *pairs = answer
        codes, values = pairs[::2], pairs[1::2]
        return cls(
            itinerary=itinerary,
            attempts=int(attempts),
            spent=int(spent),
            tries=int(tries),
            worker_deaths=int(worker_deaths),
            time_left=int(given_up_in) / 1000,
            saga_time_left=None if left == "" else int(left) / 1000,
            sources={
                itinerary.source_name(code): from_json(value)
                for code, value in zip(codes, values, strict=True)
            },
            compensated_output=from_json(output) if output else None,
        )


@dataclass(frozen=True, kw_only=True)
class Done:
    """A claim's answer: this record is finished, and the chain goes on."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A claim's answer: the message is superseded, and its chain ends."""

    reason: str


# What follows a transition. `said` is the word by which a script answers it.


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


@dataclass(frozen=True, kw_only=True)
class Publish:
    """A dispatch's answer: publish these records."""

    itinerary: Itinerary
    number: int  #: Of the first message.
    wait: float  #: Until the first record may run.
    records: Sequence[tuple[str, int]]  #: Path and tries of each, in order.
    copied_at: str = ""  #: If this replaces a message that was lost: the log's clock, in ms.

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        number, wait, copied_at, *pairs = answer
        return cls(
            itinerary=itinerary,
            number=int(number),
            wait=int(wait) / 1000,
            copied_at=copied_at,
            records=[
                (path, int(tries)) for path, tries in zip(pairs[::2], pairs[1::2], strict=True)
            ],
        )


Dispatched = Publish | Running | Waiting | Parked | None
_KINDS: Final[Mapping[str, type[Publish | Running | Waiting | Parked]]] = {
    "publish": Publish,
    "running": Running,
    "waiting": Waiting,
    "parked": Parked,
}


def read_dispatched(definitions: Itineraries, answer: Sequence[Any]) -> Dispatched:
    """Read what ``lua/dispatch_saga.lua`` answered."""
    if answer[0] == "nothing":
        return None
    kind, digest, text, *rest = answer
    return _KINDS[kind].read(definitions.read(digest, text), rest)
