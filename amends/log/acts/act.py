"""An operator's act as the list of acts has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, NamedTuple, Self

from pydantic_core import from_json

from amends.definition.serialization import json_members

SILENT_AFTER: Final = 60.0
"""Seconds without news after which a bulk act that did not end counts as interrupted. Who runs one tells of it more often."""

LONGEST: Final = 500
"""Characters of a reason, or of a name; a saga's history has all of them."""


class ActsKept(NamedTuple):
    """How many acts the list keeps, and for how many seconds."""

    most: int = 100_000
    age: float = 90 * 86_400.0

    def of_shard(self, shards: int) -> tuple[int, int]:
        """Return how many of them one of so many shards keeps, and for how many milliseconds."""
        return -(-self.most // shards), round(self.age * 1000)

    @property
    def of_log(self) -> tuple[int, int]:
        """How many acts on circuits and on many sagas the log keeps, and for how many milliseconds."""
        return self.of_shard(1)


AS_DEFAULT: Final = ActsKept()


@dataclass(frozen=True, kw_only=True)
class BulkAct:
    """An act on many sagas, as it begins.

    act_id: the id that it has on each saga. The same id is the same entry of the list.
    act: ``retry``, ``skip``, ``cancel``, ``pause``, ``resume`` or ``signal``.
    by, why: the operator, and the reason.
    step: what a skip is for, or the name of a signal.
    filter: what selects the sagas, by the names of the command's options: ``{"saga": "order", "status": ["stuck"]}``; empty for
        sagas that were named one by one.
    """

    act_id: str
    act: str
    by: str | None = None
    why: str | None = None
    step: str | None = None
    filter: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The entry of the list, JSON: always the same of one act."""
        what: dict[str, Any] = {"step": self.step} if self.step else {}
        actor = _given(by=self.by, why=self.why)
        return f"{{{act_members(self.act, actor, **what, filter=dict(self.filter))}}}"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a bulk act is.

    matched: sagas that its filter has found until now, or that were named.
    done, refused: sagas on which it was done, or which refused it, or are unknown.
    unknown: sagas for which the log did not answer: it may be done or not.
    not_tried: sagas that it gave up before it came to them.
    after: where its filter goes on, as the cursor of a page; None at its end.
    """

    matched: int = 0
    done: int = 0
    refused: int = 0
    unknown: int = 0
    not_tried: int = 0
    after: str | None = None

    def members(self, *, state: str) -> str:
        """Return it as JSON members, without what is 0 or None."""
        counts = {name: value for name, value in vars(self).items() if value}
        return json_members({**counts, "state": state})


@dataclass(frozen=True, kw_only=True)
class Bulk(Progress):
    """What became of a bulk act. `updated` is when its last news came, in seconds since 1970 by the log's clock.

    `state` is ``running``, ``ended`` or ``interrupted``: who ran it was stopped, or died.
    """

    filter: Mapping[str, Any] = field(default_factory=dict)
    state: str
    updated: float


@dataclass(frozen=True, kw_only=True)
class Act:
    """An act of an operator. `at` is seconds since 1970 by the log's clock.

    It is on one saga, on a circuit, on a schedule, or, with `bulk`, on many sagas.
    """

    id: str
    at: float
    act: str  #: ``retry``, ``skip``, ``open`` and so on: the command's word.
    by: str | None
    why: str | None
    saga_id: str | None = None
    saga: str | None = None  #: Name of that saga's definition.
    step: str | None = None  #: Path of what was skipped, or name of a signal.
    circuit: str | None = None
    schedule: str | None = None
    count: int | None = None  #: Sagas that it started, of a schedule.
    bulk: Bulk | None = None

    @property
    def is_interrupted(self) -> bool:
        """Whether it is a bulk act that did not come to its end."""
        return self.bulk is not None and self.bulk.state == "interrupted"

    @classmethod
    def read(cls, entry: str, at: int) -> Self:
        """Read an entry of the list; of what a later release wrote, what is known here.

        at: its score.
        """
        act_id, _, text = entry.partition(" ")
        said = from_json(text)
        is_bulk, when = "filter" in said, at / 1000
        bulk = Bulk(filter=said["filter"], state="interrupted", updated=when) if is_bulk else None
        return cls(
            id=act_id,
            at=when,
            act=said.get("act", "unknown"),
            by=said.get("by"),
            why=said.get("why"),
            saga_id=said.get("saga"),
            saga=said.get("name"),
            step=said.get("step"),
            circuit=said.get("circuit"),
            schedule=said.get("schedule"),
            count=said.get("count"),
            bulk=bulk,
        )

    def at_progress(self, progress: str | None, *, now: float) -> Self:
        """Return it with how far it is, if it is on many sagas.

        progress: JSON as the log has it.
        now: the time, in seconds since 1970 by the log's clock.
        """
        if self.bulk is None or progress is None:
            return self
        said = from_json(progress)
        updated, state = said["updated"] / 1000, said["state"]
        if state == "running" and now - updated > SILENT_AFTER:
            state = "interrupted"
        counts = {each.name: said[each.name] for each in fields(Progress) if each.name in said}
        return replace(self, bulk=replace(self.bulk, state=state, updated=updated, **counts))


def act_members(act: str, actor: Mapping[str, str], **what: Any) -> str:
    """Write an act as JSON members.

    actor: ``by`` and ``why``, as far as they are given.
    what: what it is on.
    """
    signed = {name: text[:LONGEST] for name, text in actor.items()}
    return json_members({"act": act, **signed, **what})


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
