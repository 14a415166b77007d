"""Claims of a record, and the log's answers to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic_core import from_json

from amends.definition.itinerary import Itinerary, Sources

Cost = Literal["attempt", "death", "nothing"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of a record."""

    token: str  #: Names this claim; a repeated call with the same token is the same claim.
    owner: str  #: As `Owner.format` writes it.
    retries: int  #: Celery's retries of the message.


@dataclass(frozen=True, kw_only=True)
class Run:
    """A claim's answer: this token holds the record now. Times are seconds."""

    itinerary: Itinerary
    attempts: int  #: Attempts made before.
    spent: int  #: Attempts made since an operator last renewed the budget.
    tries: int  #: Claims that ended unfinished.
    time_left: float  #: Until the log gives the attempt up.
    saga_time_left: float | None  #: Until the saga's deadline, None without one.
    sources: Sources
    compensated_output: Any  #: Output of the record that this one compensates, None if unknown.

    @classmethod
    def read(cls, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        attempts, spent, tries, given_up_in, left, output, *pairs = answer
        codes, values = pairs[::2], pairs[1::2]
        return cls(
            itinerary=itinerary,
            attempts=int(attempts),
            spent=int(spent),
            tries=int(tries),
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
