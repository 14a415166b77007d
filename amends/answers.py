"""What the saga log answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic_core import from_json

from amends.events import Event
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
            undone_output=from_json(output) if output else None,
        )


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

    `action` is ``go`` (the chain goes on), ``delivered`` (so it does, by the message that was delivered), ``run`` (so it does, and `run` is the claim of its next link),
    ``advance`` (something else remains; `number` is its message's), ``retry`` (it waits; `number` is its
    tries), ``end``, or ``late`` (the claim was lost: nothing was recorded).
    """

    action: str
    number: int = 0
    run: Run | None = None

    @classmethod
    def read(cls, answer: Sequence[Any]) -> Self:
        """Read what a script answered."""
        numbered = answer[0] in ("advance", "retry")
        return cls(action=answer[0], number=int(answer[1]) if numbered else 0)


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """What a worker last said: `at` by the log's clock, `age` seconds ago, that these processes live.

    `messages` has the ids of those in its hands; None where it did not say. `node` is what Celery calls it, and
    `version` that of the amends it runs; '' where it did not say.
    """

    at: float
    age: float
    pids: frozenset[str]
    messages: frozenset[str] | None
    node: str = ""
    version: str = ""

    @classmethod
    def read(cls, fields: Mapping[str, str], *, now: float) -> Self:
        """Read what is in the log, whose clock says `now`."""
        at, messages = int(fields["at"]) / 1000, fields.get("messages")
        return cls(
            at=at,
            age=now - at,
            pids=frozenset(fields["pids"].split(",")),
            messages=None if messages is None else frozenset(messages.split(",")),
            node=fields.get("node", ""),
            version=fields.get("version", ""),
        )


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A saga as it stands in the log: its fields as `open_fields` tells them, and its itinerary."""

    id: str
    itinerary: Itinerary
    fields: dict[str, str] = field(repr=False)

    @property
    def status(self) -> SagaStatus:
        """Where the saga is."""
        return SagaStatus(self.fields["status"])


def open_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Read a saga's fields as ``lua/saga.lua`` has them, but for those that are empty.

    What its records share becomes fields of each: ``states`` a field ``<record>.s`` for each, and ``claim`` of the one that runs its ``.t`` (token),
    ``.o`` (owner), ``.c`` (when it was claimed) and ``.l`` (when it is given up).
    """
    opened = {name: value for name, value in fields.items() if value}
    states = opened.pop("states", "")
    for code, state in (each.split("=") for each in states.split(",") if each):
        opened[f"{code}.s"] = state
    if claim := opened.pop("claim", ""):
        code, _, claimed_at, given_up_at, token, owner = claim.split("|", 5)
        of = {"t": token, "o": owner, "c": claimed_at, "l": given_up_at}
        opened |= {f"{code}.{name}": value for name, value in of.items()}
    return opened


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A saga at one moment, with its history; times are seconds since 1970 by the log's clock.

    `looked_at` is when a sweep looks at it, None where none does. `remaining` has the paths of what remains,
    and `owed` of what a cancel would leave to be undone, should what runs have taken effect; both in order.
    """

    entry: Entry
    now: float
    looked_at: float | None
    remaining: Sequence[str]
    owed: Sequence[str]
    history: Sequence[Event]

    @classmethod
    def read(cls, saga_id: str, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        now, due, remaining, owed, pairs, events = answer
        fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
        return cls(
            entry=Entry(id=saga_id, itinerary=itinerary, fields=open_fields(fields)),
            now=int(now) / 1000,
            looked_at=float(due) / 1000 if due else None,
            remaining=remaining.split(",") if remaining else (),
            owed=owed.split(",") if owed else (),
            history=[Event.from_json(text) for text in events],
        )
