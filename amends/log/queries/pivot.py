"""The point of no return of a saga."""

from collections.abc import Mapping
from typing import Final

from amends.definition.paths import FALLBACK, UNDO
from amends.definition.states import RecordState
from amends.log.record import Record
from amends.log.saga_state import Entry

_TAKEN: Final = frozenset(
    {
        RecordState.DONE,
        RecordState.SKIPPED,
        RecordState.UNKNOWN,
        RecordState.RUNNING,
        RecordState.STUCK,
    }
)


def passed_pivot(entry: Entry) -> str | None:
    """Name the point of no return once it took effect, or may have: by the rule of ``lua/pivot.lua``."""
    for step in entry.itinerary.steps:
        paths = (step.name + kind for kind in ("", FALLBACK))
        if step.pivot and any(_may_stand(entry.records, path) for path in paths):
            return step.name
    return None


def _may_stand(records: Mapping[str, Record], path: str) -> bool:
    record, void = records.get(path), records.get(path + UNDO)
    if record is None or record.state is RecordState.PENDING:
        return record is not None and record.is_unknown
    if record.state is RecordState.UNKNOWN:
        return void is None or void.state not in (RecordState.DONE, RecordState.SKIPPED)
    return record.state in _TAKEN
