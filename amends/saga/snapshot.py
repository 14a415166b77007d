"""A saga as people see it, read from its entry in the log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from amends.definition.itinerary import StepPlan, fill
from amends.definition.serialization import error_text
from amends.definition.states import RecordState, SagaStatus, StepState, step_state
from amends.log.answers import Entry


@dataclass(frozen=True, kw_only=True)
class RecordSnapshot:
    """One channel of a step: its own activity, or its fallback."""

    activity: str
    state: RecordState
    attempts: int
    error: str | None
    undo: RecordState | None
    undo_attempts: int
    undo_error: str | None


@dataclass(frozen=True, kw_only=True)
class StepSnapshot:
    """A step: its state, its attempts over both channels, and its last error.

    `channel` is the one that served last, ``primary`` or ``fallback``; `channels` has each by name.
    """

    name: str
    state: StepState
    attempts: int
    error: str | None
    channel: str
    channels: Mapping[str, RecordSnapshot]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A saga at one moment. `outcome` is None until it is decided, `reason` unless it is stuck."""

    id: str
    saga: str
    status: SagaStatus
    paused: bool
    outcome: str | None
    reason: str | None
    steps: Mapping[str, StepSnapshot]


def snapshot_of(entry: Entry) -> Snapshot:
    """Tell where a saga and each of its steps is."""
    return Snapshot(
        id=entry.id,
        saga=entry.itinerary.saga,
        status=entry.status,
        paused="paused" in entry.fields,
        outcome=entry.fields.get("outcome"),
        reason=entry.fields.get("reason"),
        steps={step.name: _step(entry, step) for step in entry.itinerary.steps},
    )


def output_of(entry: Entry) -> dict[str, Any]:
    """Fill the fields of a saga's output: from its input, what its steps gave, and how it ended."""
    fields = entry.fields
    sources: dict[str, Any] = {
        "input": from_json(fields["input"]),
        "saga": {
            "saga_id": entry.id,
            "outcome": fields.get("outcome"),
            "error": error_text(fields.get("error")),
            "degraded": list(_degradation(entry)),
        },
    }
    for number, step in enumerate(entry.itinerary.steps, 1):
        texts = [fields.get(f"{number}{channel}.x") for channel in ("f", "")]
        sources[step.name] = next((from_json(text) for text in texts if text is not None), None)
    return fill(entry.itinerary.output, sources)


def _degradation(entry: Entry) -> Iterator[str]:
    """Tell each step that went otherwise than it should, and the error that is the reason."""
    for number, step in enumerate(entry.itinerary.steps, 1):
        is_switched = f"{number}f.s" in entry.fields
        if is_switched:
            yield f"{step.name} went to its fallback: {error_text(entry.fields.get(f'{number}.e'))}"
        last = f"{number}f" if is_switched else f"{number}"
        has_failed = entry.fields.get(f"{last}.s") in (RecordState.FAILED, RecordState.UNKNOWN)
        if has_failed and step.on_failure == "continue":
            yield f"{step.name} was passed over: {error_text(entry.fields.get(f'{last}.e'))}"


def _step(entry: Entry, step: StepPlan) -> StepSnapshot:
    number = entry.itinerary.steps.index(step) + 1
    channels = {"primary": _record(entry, f"{number}", step.activity.task)}
    if step.fallback:
        channels["fallback"] = _record(entry, f"{number}f", step.fallback.task)
    switched = f"{number}f.s" in entry.fields
    current = channels["fallback" if switched else "primary"]
    backward = entry.fields["direction"] == "backward"
    owing = {RecordState.DONE, RecordState.UNKNOWN, RecordState.SKIPPED}
    undos = {
        name: channel.undo
        for name, channel in channels.items()
        if channel.undo is not None and channel.state in owing
    }
    touched = any(state is not RecordState.PENDING for state in undos.values())
    state = step_state(
        channels["primary"].state,
        current.state if switched else None,
        undos if touched else {},
        backward=backward,
    )
    errors = [channels["primary"].error, current.error, *(c.undo_error for c in channels.values())]
    return StepSnapshot(
        name=step.name,
        state=state,
        attempts=sum(channel.attempts for channel in channels.values()),
        error=next((error for error in reversed(errors) if error), None),
        channel="fallback" if switched else "primary",
        channels=channels,
    )


def _record(entry: Entry, code: str, activity: str) -> RecordSnapshot:
    fields = entry.fields
    undo = code + "u"
    has_undo = entry.itinerary.steps[int(code.rstrip("f")) - 1].compensation is not None
    return RecordSnapshot(
        activity=activity,
        state=RecordState(fields.get(f"{code}.s", "pending")),
        attempts=int(fields.get(f"{code}.a", 0)),
        error=error_text(fields.get(f"{code}.e")),
        undo=RecordState(fields.get(f"{undo}.s", "pending")) if has_undo else None,
        undo_attempts=int(fields.get(f"{undo}.a", 0)),
        undo_error=error_text(fields.get(f"{undo}.e")),
    )
