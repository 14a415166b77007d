"""What the saga log answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from amends.definition.itinerary import Itinerary
from amends.definition.states import SagaStatus
from amends.log.history import Event


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
