"""A schedule as the log has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from pydantic_core import from_json

LEFT_AFTER: Final = 300.0
"""Seconds after which a schedule that no worker has defined again is one that no deploy defines. Workers do so every minute."""

COUNTED: Final = ("fired", "late", "skipped", "missed", "failed", "triggered")
"""What is counted of a schedule."""


@dataclass(frozen=True, kw_only=True)
class ScheduleState:
    """A schedule at one moment, `now`. Times are seconds since 1970 by the log's clock."""

    name: str
    now: float
    app: str  #: Identity of the app that defines it.
    app_name: str  #: Name of that app.
    definition: Mapping[str, Any]  #: What its workers were given.
    digest: str  #: Of the definition.
    since: float  #: When it was first defined.
    seen: float  #: When a worker last said that it defines it.
    cursor: int  #: Milliseconds since 1970: what was due until then is settled.
    decided: int | None  #: Milliseconds since 1970: the tick whose saga is being started.
    error: str | None  #: Why that could not be started yet.
    last: str | None  #: Id of the last saga that it started.
    last_due: float | None  #: The tick of the last saga that it started by itself.
    paused_at: float | None
    by: str | None  #: Who paused it.
    why: str | None
    counts: Mapping[str, int]  #: How many ticks were fired, late, skipped and so on, see `COUNTED`.

    @property
    def is_left(self) -> bool:
        """Whether no worker defines it any more: it stands still."""
        return self.now - self.seen >= LEFT_AFTER

    @classmethod
    def read(cls, name: str, now: float, fields: Mapping[str, str]) -> Self:
        """Read a schedule's hash, see ``lua/schedule.lua``."""

        def seconds(field: str) -> float | None:
            return int(fields[field]) / 1000 if field in fields else None

        return cls(
            name=name,
            now=now,
            app=fields["app"],
            app_name=fields["app_name"],
            definition=from_json(fields["definition"]),
            digest=fields["digest"],
            since=int(fields["since"]) / 1000,
            seen=int(fields["seen"]) / 1000,
            cursor=int(fields["cursor"]),
            decided=int(fields["decided"]) if "decided" in fields else None,
            error=fields.get("error"),
            last=fields.get("last"),
            last_due=seconds("last_due"),
            paused_at=seconds("paused"),
            by=fields.get("by") or None,
            why=fields.get("why") or None,
            counts={each: int(fields.get(each, 0)) for each in COUNTED},
        )


@dataclass(frozen=True, kw_only=True)
class ScheduleEvent:
    """One event of a schedule's history."""

    at: float  #: Seconds since 1970 by the log's clock.
    name: str
    details: Mapping[str, Any]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read an event as the log has it."""
        said = from_json(text)
        return cls(at=said.pop("at") / 1000, name=said.pop("name"), details=said)
