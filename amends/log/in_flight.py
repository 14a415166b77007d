"""What is in flight of a saga, as a dispatch finds it. Times are seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Self

from amends.definition.itinerary import Itinerary
from amends.definition.sources import Sources
from amends.log.answers import Itineraries, Publish
from amends.log.owner import Owner


@dataclass(frozen=True, kw_only=True)
class Running:
    """A dispatch's answer: a record is claimed."""

    itinerary: Itinerary
    path: str
    token: str
    owner: Owner | None  #: None for what runs without a worker.
    attempts: int  #: Since an operator last renewed the record's budget.
    deaths: int  #: Of processes that it was alone in, since then.
    worker_deaths: int  #: Of whole workers, before it ran apart.
    claimed_at: float  #: Since 1970 by the log's clock.
    age: float  #: Since the claim.
    limit_left: float  #: Until its start-to-close timeout.
    time_left: float  #: Until the log gives the attempt up.
    app: str  #: Identity of the app that started the saga, '' if unknown.
    trace: str = ""  #: As `Run.trace`.

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        path, token, owner, *numbers, app = answer
        attempts, deaths, worker_deaths, claimed_at, age, limit_left, time_left = map(int, numbers)
        return cls(
            itinerary=itinerary,
            path=path,
            token=token,
            owner=Owner.parse(owner),
            attempts=attempts,
            deaths=deaths,
            worker_deaths=worker_deaths,
            claimed_at=claimed_at / 1000,
            age=age / 1000,
            limit_left=limit_left / 1000,
            time_left=time_left / 1000,
            app=app,
        )

    @property
    def limit_at(self) -> float:
        """When the start-to-close timeout ends, since 1970 by the log's clock."""
        return self.claimed_at + self.age + self.limit_left


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A dispatch's answer to a look: a record is not claimed, though its message should have arrived.

    Its message is the last of `times`; 0 if none was published yet.
    """

    itinerary: Itinerary
    path: str
    is_overdue: bool  #: Whether the message has been under way for long.
    sent_at: float  #: When it should have arrived, since 1970 by the log's clock.
    times: int
    number: int  #: Of the first message that may be claimed; older ones are superseded.
    is_advance: bool  #: Whether the message is that of `amends.advance`.
    app: str = ""  #: Identity of the app that started the saga, '' if unknown.
    mark: str = (
        ""  #: Its branch and `sent_at`, as a dispatch takes it for lost; '' outside of branches.
    )

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        path, overdue, sent, times, number, advance, app, branch = answer
        return cls(
            itinerary=itinerary,
            path=path,
            is_overdue=bool(overdue),
            sent_at=int(sent) / 1000,
            times=int(times),
            number=int(number),
            is_advance=bool(advance),
            app=app,
            mark=f"{branch}@{sent}" if branch else "",
        )


@dataclass(frozen=True, kw_only=True)
class Parked:
    """A dispatch's answer to a look: the saga is stuck until a worker can run this record."""

    itinerary: Itinerary
    path: str
    app: str  #: Identity of the app that started the saga, '' if unknown.

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        path, app = answer
        return cls(itinerary=itinerary, path=path, app=app)


@dataclass(frozen=True, kw_only=True)
class Expand:
    """A dispatch's answer: a stage whose branches its caller is to tell, by what these sources hold."""

    itinerary: Itinerary
    stage: str
    sources: Sources

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        stage, *pairs = answer
        return cls(itinerary=itinerary, stage=stage, sources=itinerary.read_sources(pairs))


@dataclass(frozen=True, kw_only=True)
class Begin:
    """A dispatch's answer: a wait whose condition and time its caller is to tell, by what these sources hold."""

    itinerary: Itinerary
    path: str
    sources: Sources

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        path, *pairs = answer
        return cls(itinerary=itinerary, path=path, sources=itinerary.read_sources(pairs))


Deed = Literal["start", "cancel", "turn"]
"""What is to be done about a child: start it, cancel it, or turn it back. Each may be asked for again."""


@dataclass(frozen=True, kw_only=True)
class Attend:
    """A dispatch's answer: something is to be done about the child that a record waits for."""

    itinerary: Itinerary
    path: str
    deed: Deed
    tries: int  #: Children of this step that turned back before.
    sources: Sources
    trace: str = ""  #: As `Run.trace`.

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        path, deed, tries, *pairs = answer
        sources = itinerary.read_sources(pairs)
        return cls(itinerary=itinerary, path=path, deed=deed, tries=int(tries), sources=sources)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A dispatch's answer: the saga is a child that has ended, and its parent is to be told."""

    itinerary: Itinerary
    parent: str  #: Its id.
    path: str  #: Of the parent's step.
    app: str  #: Identity of the app that started the saga, '' if unknown.

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        told, app = answer
        parent, _, path = told.partition("|")
        return cls(itinerary=itinerary, parent=parent, path=path, app=app)


@dataclass(frozen=True, kw_only=True)
class Branches:
    """A dispatch's answer: what it found of the branches of a stage; those of which it says nothing are not at hand."""

    itinerary: Itinerary
    found: Sequence[Publish | Running | Waiting | Begin | Attend]

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        found: Any = [_KINDS[kind].read(itinerary, rest) for kind, *rest in answer]
        return cls(itinerary=itinerary, found=found)


Dispatched = (
    Publish | Running | Waiting | Parked | Expand | Begin | Attend | Ended | Branches | None
)
_KINDS: Final[Mapping[str, type[Any]]] = {
    Publish.said: Publish,
    "running": Running,
    "waiting": Waiting,
    "parked": Parked,
    "expand": Expand,
    "open": Begin,
    "child": Attend,
    "ended": Ended,
    "stage": Branches,
}


def read_dispatched(definitions: Itineraries, answer: Sequence[Any]) -> Dispatched:
    """Read what ``lua/dispatch_saga.lua`` answered."""
    if answer[0] == "nothing":
        return None
    kind, digest, text, trace, *rest = answer
    found: Dispatched = _KINDS[kind].read(definitions.read(digest, text), rest)
    return _traced(found, trace) if trace else found


def _traced(found: Any, trace: str) -> Any:
    """Return what a dispatch found with the saga's trace, if that is of use."""
    if isinstance(found, Branches):
        return replace(found, found=[_traced(each, trace) for each in found.found])
    return replace(found, trace=trace) if isinstance(found, Publish | Running | Attend) else found
