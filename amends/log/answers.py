"""Answers of the log to the process that carries a saga on: to a claim, to the end of an attempt, to a dispatch.

Times are seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, NamedTuple, Self

from pydantic_core import from_json

from amends.definition.itinerary import Itinerary
from amends.definition.sources import Sources

LOOK_AGAIN: Final = 10
"""Seconds between two looks at a running record."""

Cost = Literal["attempt", "death", "worker_death", "nothing", "unreadable"]


class Itineraries:
    """A cache of itineraries that this process has written or read, by digest: the log sends it only the others."""

    def __init__(self) -> None:
        self._itineraries: dict[str, Itinerary] = {}

    def __contains__(self, digest: str) -> bool:
        return digest in self._itineraries

    def known(self) -> str:
        """Return all digests, joined by commas, as the scripts take them."""
        return ",".join(self._itineraries)

    def add(self, itinerary: Itinerary) -> None:
        """Keep an itinerary."""
        self._itineraries[itinerary.digest] = itinerary

    def read(self, digest: str, text: str) -> Itinerary:
        """Return an itinerary by its digest. `text` is its JSON, and may be '' if the cache has it."""
        if digest not in self._itineraries:
            self._itineraries[digest] = Itinerary.from_json(text)
        return self._itineraries[digest]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of a record."""

    token: str  #: Names this claim; a repeated call with the same token is the same claim.
    owner: str  #: As `Owner.format` writes it.
    retries: int  #: Celery's retries of the message.
    process: str = ""  #: What its event tells of the process, as `process_members` writes it.


class Origin(NamedTuple):
    """What a claim tells of its message; all '' if it has none of its own."""

    watermark: str = ""  #: Its queue with its priority, or '' to leave that queue's watermark.
    copied_at: str = (
        ""  #: When it was published, by the log's clock in ms, if it is a copy of a lost one.
    )
    queue: str = ""  #: Its queue, by which its wait is counted; '' if it is unknown.


NO_ORIGIN: Final = Origin()
"""Of a claim without a message of its own."""


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
    trace: str = ""  #: Headers of the traces that the saga belongs to, JSON; '' if there are none.

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        attempts, spent, tries, worker_deaths, given_up_in, left, output, trace, *pairs = answer
        return cls(
            itinerary=itinerary,
            attempts=int(attempts),
            spent=int(spent),
            tries=int(tries),
            worker_deaths=int(worker_deaths),
            time_left=int(given_up_in) / 1000,
            saga_time_left=None if left == "" else int(left) / 1000,
            sources=itinerary.read_sources(pairs),
            compensated_output=from_json(output) if output else None,
            trace=trace,
        )


@dataclass(frozen=True, kw_only=True)
class Done:
    """A claim's answer: this record is finished, and the chain goes on."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A claim's answer: the message is superseded, and its chain ends."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Publish:
    """A dispatch's answer: publish these records."""

    said: ClassVar[str] = "publish"
    itinerary: Itinerary
    number: int  #: Of the first message.
    wait: float  #: Until the first record may run.
    records: Sequence[tuple[str, int]]  #: Path and tries of each, in order.
    copied_at: str = ""  #: If this replaces a message that was lost: the log's clock, in ms.
    brought: str = ""  #: Token of a claim of the first record whose answer never came.
    trace: str = ""  #: As `Run.trace`.

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        number, wait, copied_at, *pairs = answer
        return cls(
            itinerary=itinerary,
            number=int(number),
            wait=int(wait) / 1000,
            copied_at=copied_at,
            records=read_chain(pairs),
        )


def read_chain(pairs: Sequence[Any]) -> list[tuple[str, int]]:
    """Read a chain: each path with its tries."""
    return [(path, int(tries)) for path, tries in zip(pairs[::2], pairs[1::2], strict=True)]


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
class Next:
    """A chain of these records comes next, and is to be published: `number` is for its first message."""

    number: int
    records: Sequence[tuple[str, int]]  #: Path and tries of each, in order.
    said: ClassVar[str] = "next"

    def of(self, itinerary: Itinerary) -> Publish:
        """Return the chain of a saga with this itinerary, as it is published."""
        return Publish(itinerary=itinerary, number=self.number, wait=0.0, records=self.records)


@dataclass(frozen=True)
class Stage:
    """A stage of several branches comes next, or its undo: they are to be published."""

    said: ClassVar[str] = "stage"


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


Continuation = (
    GoOn | Delivered | Claimed | Advance | Next | Stage | RetryAfter | AtRest | Late | Lacking
)

_PLAIN: Final[Mapping[str, Continuation]] = {
    each.said: each for each in (GoOn(), Delivered(), Stage(), AtRest(), Late())
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
        case [Next.said, number, *pairs]:
            return Next(int(number), read_chain(pairs))
    return _PLAIN[answer[0]]
