"""What the saga log answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from amends.itinerary import Itinerary, Sources
from amends.states import SagaStatus


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
    undone_output: Any


@dataclass(frozen=True, kw_only=True)
class Done:
    """A claim's answer: this record is finished, and the chain goes on."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A claim's answer: this message has nothing to do, and why."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Next:
    """What follows a record that ended.

    `action` is ``go`` (the chain goes on), ``advance`` (something else remains; `number` is its
    message's), ``retry`` (it waits; `number` is its tries), ``end``, or ``late`` (the claim was lost:
    nothing was recorded).
    """

    action: str
    number: int = 0

    @classmethod
    def read(cls, answer: Sequence[Any]) -> Self:
        """Read what a script answered."""
        numbered = answer[0] in ("advance", "retry")
        return cls(action=answer[0], number=int(answer[1]) if numbered else 0)


@dataclass(frozen=True, kw_only=True)
class Publish:
    """A dispatch's answer: what remains, in order, as paths with the tries of each."""

    itinerary: Itinerary
    number: int
    wait: float
    records: Sequence[tuple[str, int]]


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
    owner: str
    attempts: int
    deaths: int
    claimed_at: float
    age: float
    limit_left: float
    time_left: float


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


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """What a worker last said: `at` by the log's clock, `age` seconds ago, that these processes live."""

    at: float
    age: float
    pids: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A saga as it stands in the log: its fields (see ``lua/saga.lua``) and its itinerary."""

    id: str
    itinerary: Itinerary
    fields: dict[str, str] = field(repr=False)

    @property
    def status(self) -> SagaStatus:
        """Where the saga is."""
        return SagaStatus(self.fields["status"])
