"""Claims of a record: what is asked for, and what the log answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic_core import from_json

from amends.definition.itinerary import Itinerary, Sources

Cost = Literal["attempt", "death", "nothing"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who claims a record: its owner, under a token, for a message that was tried so often."""

    token: str
    owner: str
    retries: int


@dataclass(frozen=True, kw_only=True)
class Run:
    """A claim's answer: this token owns the record now.

    `attempts` were made before, `spent` of them since a person last renewed the record's budget.
    """

    itinerary: Itinerary
    attempts: int
    spent: int
    tries: int
    time_left: float
    saga_time_left: float | None
    sources: Sources
    compensated_output: Any

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
    """A claim's answer: this message has nothing to do, and why."""

    reason: str
