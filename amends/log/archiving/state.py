"""How an archive does, and a saga as it is handed to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True)
class EndedSaga:
    """A saga that has ended, as it is in the log: nothing of it is read yet."""

    id: str
    fields: Mapping[
        str, str
    ]  #: Of its hash, see ``lua/saga.lua``; none if only its places in the indexes are left.
    events: Sequence[str]  #: JSON, in order.
    itinerary: str  #: JSON; '' if the log has lost it.


@dataclass(frozen=True, kw_only=True)
class ArchiveState:
    """How an archive has done. Times are seconds since 1970 by the log's clock."""

    now: float
    sagas: int = 0  #: That it took, repeated ones among them.
    failures: int = 0  #: Batches that it did not take.
    succeeded_at: float | None = None  #: When it took the last batch.
    failing_since: float | None = (
        None  #: When the first batch failed since; None if it took the last one.
    )
    error: str = ""  #: Why the last one failed.

    @classmethod
    def read(cls, now: float, fields: Mapping[str, str]) -> Self:
        """Read the fields of ``lua/note_archived.lua``."""

        def seconds(name: str) -> float | None:
            return int(fields[name]) / 1000 if name in fields else None

        return cls(
            now=now,
            sagas=int(fields.get("sagas", 0)),
            failures=int(fields.get("failures", 0)),
            succeeded_at=seconds("succeeded"),
            failing_since=seconds("failing"),
            error=fields.get("error", ""),
        )

    @property
    def failing_for(self) -> float:
        """Seconds for which it has taken nothing that it was given, 0 if it took the last batch."""
        return 0.0 if self.failing_since is None else max(0.0, self.now - self.failing_since)
