"""Archived sagas, made of what the log has, and read again as it had it."""

import time
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json

from amends.archive.document import ArchivedEvent, ArchivedRecord, ArchivedSaga
from amends.definition.itinerary import Itinerary
from amends.definition.serialization import canonical_json
from amends.errors import UnreadableData
from amends.log.archiving.state import EndedSaga
from amends.log.history import Event
from amends.log.queries.output_fields import output_fields
from amends.log.record import open_fields
from amends.log.saga_state import Entry, Standing

_OWN: Final = frozenset({"input"})  # fields that the document has under names of its own


def archived(ended: EndedSaga) -> ArchivedSaga:
    """Return an ended saga for the archive: as it was stored, if the code of this process cannot read it."""
    try:
        return _read(ended)
    except Exception as error:  # noqa: BLE001 - whatever the log has, it is kept
        told = f"{type(error).__name__}: {error}"
    return ArchivedSaga(
        **_head(ended.id, ended.fields),
        unreadable=told,
        fields=dict(ended.fields),
        itinerary=ended.itinerary,
        events=tuple(ended.events),
    )


def _read(ended: EndedSaga) -> ArchivedSaga:
    itinerary = Itinerary.from_json(ended.itinerary)
    entry = Entry(id=ended.id, itinerary=itinerary, fields=open_fields(ended.fields))
    return ArchivedSaga(
        **_head(ended.id, ended.fields),
        error=entry.error,
        input=entry.input,
        output=output_fields(entry),
        records=tuple(_records(entry)),
        history=tuple(_event(Event.from_json(text)) for text in ended.events),
        fields={name: value for name, value in ended.fields.items() if name not in _OWN},
        itinerary=from_json(ended.itinerary),
    )


def _head(saga_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return what can be told of any saga."""
    parent, _, step = fields.get("parent", "").partition("|")
    return {
        "id": saga_id,
        "saga": fields.get("name", ""),
        "status": fields.get("status", ""),
        "outcome": fields.get("outcome"),
        "created_at": _seconds(fields.get("created")),
        "ended_at": _seconds(fields.get("ended")),
        "parent": parent or None,
        "parent_step": step or None,
    }


def _seconds(text: str | None) -> float | None:
    return int(text) / 1000 if text and text.isdecimal() else None


def _records(entry: Entry) -> list[ArchivedRecord]:
    plans = entry.itinerary.records
    return [
        ArchivedRecord(
            path=path,
            task=plans[path].call.task,
            state=record.state,
            attempts=record.attempts,
            error=record.error,
            output=entry.output_of(path),
        )
        for path, record in entry.records.items()
    ]


def _event(event: Event) -> ArchivedEvent:
    return ArchivedEvent(
        name=event.name,
        at=event.at,
        record=event.record,
        details=dict(event.details),
        count=event.count,
        first_at=event.first_at,
    )


def entry_of(saga: ArchivedSaga) -> Entry:
    """Return an archived saga as the log had it. Raises `UnreadableData` if it could not be read when it was archived."""
    if saga.unreadable is not None:
        raise UnreadableData(
            f"saga {saga.id!r} is in the archive as the log had it, which the worker that archived it could not read:"
            f" {saga.unreadable}"
        )
    itinerary = Itinerary.from_json(canonical_json(saga.itinerary))
    fields = open_fields({**saga.fields, "input": canonical_json(saga.input)})
    return Entry(id=saga.id, itinerary=itinerary, fields=fields)


def history_of(saga: ArchivedSaga) -> list[Event]:
    """Return the events of an archived saga."""
    if saga.unreadable is not None:
        return [Event.from_json(text) for text in saga.events]
    return [
        Event(
            name=each.name,
            at=each.at,
            record=each.record,
            details=each.details,
            count=each.count,
            first_at=each.first_at,
        )
        for each in saga.history
    ]


def standing_of(saga: ArchivedSaga) -> Standing:
    """Return an archived saga as `SagaLog.examine_saga` would. Raises what `entry_of` does."""
    return Standing(
        entry=entry_of(saga),
        now=time.time(),
        looked_at=None,
        remaining=(),
        owed=(),
        history=history_of(saga),
        is_archived=True,
    )
