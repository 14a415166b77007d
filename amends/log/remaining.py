"""What a dispatch answers: what remains of a saga, or what is to be judged before that is published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from amends.definition.itinerary import Itinerary
from amends.log.itinerary_cache import Definitions
from amends.log.owner import Owner

LOOK_AGAIN: Final = 10
"""Seconds between two looks at what runs."""


@dataclass(frozen=True, kw_only=True)
class Publish:
    """A dispatch's answer: what remains, in order, as paths with the tries of each."""

    itinerary: Itinerary
    number: int
    wait: float
    records: Sequence[tuple[str, int]]

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        number, wait, *pairs = answer
        return cls(
            itinerary=itinerary,
            number=int(number),
            wait=int(wait) / 1000,
            records=[
                (path, int(tries)) for path, tries in zip(pairs[::2], pairs[1::2], strict=True)
            ],
        )


@dataclass(frozen=True, kw_only=True)
class Running:
    """A dispatch's answer: a record is owned.

    `attempts` and `deaths` count from when a person last renewed the record's budget. It was claimed
    at `claimed_at` by the log's clock, `age` seconds ago. `limit_left` is the seconds
    until its start-to-close timeout is up, and `time_left` those until the log gives it up in any case.
    """

    itinerary: Itinerary
    path: str
    token: str
    owner: Owner | None  #: None for what runs without a worker.
    attempts: int
    deaths: int
    claimed_at: float
    age: float
    limit_left: float
    time_left: float

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        path, token, owner, *numbers = answer
        attempts, deaths, claimed_at, age, limit_left, time_left = map(int, numbers)
        return cls(
            itinerary=itinerary,
            path=path,
            token=token,
            owner=Owner.parse(owner),
            attempts=attempts,
            deaths=deaths,
            claimed_at=claimed_at / 1000,
            age=age / 1000,
            limit_left=limit_left / 1000,
            time_left=time_left / 1000,
        )


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A dispatch's answer to a look: this record's message should have arrived `age` seconds ago.

    It is the last of `times` messages. One that `is_overdue` is lost unless its queue is long; one that
    is not, if its queue is empty.
    """

    itinerary: Itinerary
    path: str
    is_overdue: bool
    age: float
    times: int

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        path, overdue, age, times = answer
        return cls(
            itinerary=itinerary,
            path=path,
            is_overdue=bool(overdue),
            age=int(age) / 1000,
            times=int(times),
        )


Dispatched = Publish | Running | Waiting | None
_KINDS: Final[Mapping[str, type[Publish | Running | Waiting]]] = {
    "publish": Publish,
    "running": Running,
    "waiting": Waiting,
}


def read_dispatched(definitions: Definitions, answer: Sequence[Any]) -> Dispatched:
    """Read what ``lua/dispatch_saga.lua`` answered."""
    if answer[0] == "nothing":
        return None
    kind, digest, text, *rest = answer
    return _KINDS[kind].read(definitions.read(digest, text), rest)
