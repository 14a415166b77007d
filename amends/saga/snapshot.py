"""A snapshot of a saga, read from its entry in the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from amends.definition.paths import FALLBACK, UNDO
from amends.definition.plans import StepPlan
from amends.definition.states import RecordState, SagaStatus, StepState, step_state
from amends.log.queries.output_fields import PRIMARY, SECOND, channel_in, channels_of, named_steps
from amends.log.saga_state import Entry

_OWING: Final = frozenset({RecordState.DONE, RecordState.UNKNOWN, RecordState.SKIPPED})


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
    #: Where the application raised `error`, and `undo_error`: ``tasks/payment.py:87 _charge``. None if that is not known.
    frame: str | None = None
    undo_frame: str | None = None


@dataclass(frozen=True, kw_only=True)
class StepSnapshot:
    """A step: its state, its attempts over both channels (those whose process died among them), and its last error.

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
    """A saga at one moment. `outcome` is None until it is decided, `reason` unless it is stuck.

    `begins_at` is when it begins, in seconds since 1970, None unless its start was delayed.

    `steps` has each step by its name; one that is done for each item of a list by ``<step>[<item>]``, once they are known.
    """

    id: str
    saga: str
    status: SagaStatus
    paused: bool
    outcome: str | None
    reason: str | None
    steps: Mapping[str, StepSnapshot]
    begins_at: float | None = None


def snapshot_of(entry: Entry) -> Snapshot:
    """Return the snapshot of a saga, with all its steps."""
    return Snapshot(
        id=entry.id,
        saga=entry.itinerary.saga,
        status=entry.status,
        paused=entry.paused_at is not None,
        outcome=entry.outcome,
        reason=entry.reason,
        begins_at=entry.begins_at,
        steps={name: _step(entry, name, step) for name, step in named_steps(entry)},
    )


def _step(entry: Entry, name: str, step: StepPlan) -> StepSnapshot:
    channel = channel_in(channels_of(entry, name, step))
    channels = {PRIMARY: _snapshot(entry, name, step.activity.task)}
    if step.fallback:
        channels[SECOND] = _snapshot(entry, name + FALLBACK, step.fallback.task)
    current = channels[channel]
    compensations = {
        which: each.undo
        for which, each in channels.items()
        if each.undo is not None and each.state in _OWING
    }
    touched = any(state is not RecordState.PENDING for state in compensations.values())
    state = step_state(
        channels[PRIMARY].state,
        current.state if channel == SECOND else None,
        compensations if touched else {},
        backward=not entry.is_forward,
    )
    errors = [channels[PRIMARY].error, current.error, *(c.undo_error for c in channels.values())]
    return StepSnapshot(
        name=name,
        state=state,
        attempts=sum(each.attempts for each in channels.values()),
        error=next((error for error in reversed(errors) if error), None),
        channel=channel,
        channels=channels,
    )


def _snapshot(entry: Entry, path: str, activity: str) -> RecordSnapshot:
    record, undo = entry.records[path], entry.records.get(path + UNDO)
    return RecordSnapshot(
        activity=activity,
        state=record.state,
        attempts=record.attempts,
        error=record.error,
        undo=undo.state if undo else None,
        undo_attempts=undo.attempts if undo else 0,
        undo_error=undo.error if undo else None,
        frame=record.frame,
        undo_frame=undo.frame if undo else None,
    )
