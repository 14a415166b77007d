"""An ended saga as an archive gets it: JSON that a later release can read."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict

VERSION: Final = 1
"""The newest version of the document. A later one has all of these fields, and may have more."""


class _Part(BaseModel):
    # What a later release adds is passed by here.
    model_config = ConfigDict(frozen=True, extra="ignore")


class ArchivedEvent(_Part):
    """One event of a history. Times are seconds since 1970, UTC."""

    name: str  #: Such as ``step.completed``; docs/events.md has all.
    at: float
    record: str | None = None  #: Path of the record that it is about; None for the saga itself.
    details: dict[str, Any] = {}
    count: int = 1  #: How many events it stands for.
    first_at: float | None = None  #: When the first of them was; None unless it stands for several.


class ArchivedRecord(_Part):
    """A step, its fallback, or the compensation of either (``charge:undo``), as it stood at the end."""

    path: str
    task: str  #: Name of the activity.
    state: str
    attempts: int
    error: str | None = None  #: The last one: its type and message.
    output: Any = None  #: JSON data.


class ArchivedSaga(_Part):
    """A saga at its end. Times are seconds since 1970, UTC.

    `fields`, `itinerary` and `events` are what the log had, which the commands read; the other fields are made of them.
    """

    version: int = VERSION
    id: str
    saga: str  #: Name of its definition.
    status: str  #: ``completed`` or ``compensated``.
    outcome: str | None = None  #: As its definition names it.
    error: str | None = None  #: Type and message of the error that turned it back.
    created_at: float | None = None  #: When it was started.
    ended_at: float | None = None
    parent: str | None = None  #: Id of the saga that it was a step of.
    parent_step: str | None = None  #: Path of that step.
    input: Any = None  #: JSON data.
    output: Any = None  #: JSON data: the fields of its output.
    records: tuple[ArchivedRecord, ...] = ()  #: In the order of its definition.
    history: tuple[ArchivedEvent, ...] = ()  #: In order.
    unreadable: str | None = (
        None  #: Why `input`, `output`, `records` and `history` are empty; None unless they had to be.
    )
    fields: dict[str, str] = {}  #: As the log had them, `input` only if it is unreadable.
    itinerary: Any = None  #: Its definition, JSON data; a text if it is unreadable.
    events: tuple[str, ...] = ()  #: Its history as the log had it, only if it is unreadable.
