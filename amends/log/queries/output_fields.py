"""The output of a saga as JSON data, as far as it is filled."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from amends.definition.paths import FALLBACK
from amends.definition.plans import StepPlan
from amends.definition.serialization import fill
from amends.definition.states import RecordState
from amends.log.record import Record
from amends.log.saga_state import Entry

PRIMARY: Final = "primary"
SECOND: Final = "fallback"


def output_fields(entry: Entry) -> dict[str, Any]:
    """Return the fields of a saga's output."""
    return fill(entry.itinerary.output, {**entry.sources, "saga": _own_fields(entry)})


def _own_fields(entry: Entry) -> dict[str, Any]:
    """Return what a saga's output may have of the saga itself."""
    return {
        "saga_id": entry.id,
        "outcome": entry.outcome,
        "error": entry.error,
        "degraded": list(_degradation(entry)),
    }


def _degradation(entry: Entry) -> Iterator[str]:
    """Yield a sentence for each step that used its fallback or was passed over, with the error."""
    for name, step in named_steps(entry):
        records = channels_of(entry, name, step)
        primary, last = records[PRIMARY], records[channel_in(records)]
        if last is not primary:
            yield f"{name} went to its fallback: {primary.error}"
        has_failed = last.state in (RecordState.FAILED, RecordState.UNKNOWN)
        if has_failed and step.on_failure == "continue":
            yield f"{name} was passed over: {last.error}"


def named_steps(entry: Entry) -> Iterator[tuple[str, StepPlan]]:
    """Yield each step with what it is called in paths, one for each item as often as there are items."""
    for step in entry.itinerary.steps:
        for name in entry.names_of(step.name):
            yield name, step


def channels_of(entry: Entry, name: str, step: StepPlan) -> dict[str, Record]:
    """Return the records of a step's activities by channel, the primary first."""
    records = {PRIMARY: entry.records[name]}
    if step.fallback:
        records[SECOND] = entry.records[name + FALLBACK]
    return records


def channel_in(records: Mapping[str, Record]) -> str:
    """Name the channel that a step has come to."""
    fallback = records.get(SECOND)
    return SECOND if fallback and fallback.was_touched else PRIMARY
