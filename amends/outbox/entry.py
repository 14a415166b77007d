"""A start that waits in the outbox, and the JSON that it is kept as."""

import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from amends.errors import UnreadableData

FORMAT: Final = 1
"""Of the document. A release that writes another one counts it up."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the outbox. Times are seconds since 1970."""

    saga_id: str
    saga: str  #: Name of the definition.
    document: str  #: What the saga is started with: JSON, ASCII alone.
    entry_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    written_at: float = field(default_factory=time.time)
    tries: int = 0  #: How often a relay has taken it.

    @classmethod
    def of(
        cls,
        saga_id: str,
        saga: str,
        text: str,
        *,
        at: datetime | None,
        after: float | None,
        trace: str = "",
    ) -> Self:
        """Make the entry of a start.

        text: input of the saga, JSON.
        at, after: when it begins, as `amends.Saga.start` takes it.
        trace: carrier of the trace that it is written in, see `amends.traces.carrier`; '' if there is none.
        """
        document: dict[str, Any] = {
            "format": FORMAT,
            "input": text,
            "at": at and at.isoformat(),
            "after": after,
        }
        if trace:
            document["trace"] = trace
        return cls(saga_id=saga_id, saga=saga, document=json.dumps(document))

    @property
    def trace(self) -> str:
        """The carrier of the trace that it was written in; '' if there is none."""
        return str(json.loads(self.document).get("trace") or "")

    def read(self, now: float) -> tuple[Any, dict[str, Any]]:
        """Return the fields of the saga's input, and `at` and `after` as `amends.Saga.start` takes them.

        now: from which `after` counts; it is shortened by the time that the entry has waited.

        Raises `UnreadableData` if another release wrote it in a form that this one does not know.
        """
        document = json.loads(self.document)
        if document["format"] != FORMAT:
            raise UnreadableData(
                f"the outbox's entry of saga {self.saga_id!r} has format {document['format']}, and this release reads"
                f" {FORMAT}: let workers of the release that wrote it deliver it"
            )
        at, after = document["at"], document["after"]
        when = {
            "at": None if at is None else datetime.fromisoformat(at),
            "after": None if after is None else max(0.0, after - max(0.0, now - self.written_at)),
        }
        return json.loads(document["input"]), when
