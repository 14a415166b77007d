"""What of a saga is in flight, as a sweep finds it: a claim, or a message. Times are seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from amends.definition.itinerary import Itinerary
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

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        path, overdue, sent, times, number, advance, app = answer
        return cls(
            itinerary=itinerary,
            path=path,
            is_overdue=bool(overdue),
            sent_at=int(sent) / 1000,
            times=int(times),
            number=int(number),
            is_advance=bool(advance),
            app=app,
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
