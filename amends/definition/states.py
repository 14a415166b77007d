"""The states of a saga, of its steps and of their records, and the moves between them.

A step has a record for each activity it may call: its own, its fallback's, and an undo of each.
The log keeps records (`RecordState`); `step_state` tells people what they add up to.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class SagaStatus(StrEnum):
    """Where a saga is."""

    PENDING = "pending"
    """Written to the log; no step was claimed yet."""
    RUNNING = "running"
    """Going forward."""
    COMPENSATING = "compensating"
    """Going backward: nothing new starts, and what took effect is undone."""
    COMPLETED = "completed"
    """Ended: every step took effect."""
    COMPENSATED = "compensated"
    """Ended: every effect is undone."""
    STUCK = "stuck"
    """Waits for a person."""


class StepState(StrEnum):
    """Where a step is."""

    PENDING = "pending"
    """Not claimed yet, or waiting for its next attempt."""
    RUNNING = "running"
    """A worker has claimed it."""
    DONE = "done"
    """It took effect."""
    FAILED = "failed"
    """It ended without effect."""
    UNKNOWN = "unknown"
    """It ended, and nobody knows whether it took effect."""
    COMPENSATING = "compensating"
    """Its effect is being undone."""
    COMPENSATED = "compensated"
    """Its effect is undone."""
    STUCK = "stuck"
    """Its undo failed for good, or it did past the point of no return."""
    SKIPPED = "skipped"
    """A person did or undid it by hand, or its condition was false."""
    WAITING = "waiting"
    """It waits for signals, or for a time."""


class RecordState(StrEnum):
    """Where one record of a step is; the scripts in `log/lua` move it."""

    PENDING = "pending"
    """Not claimed yet, or waiting for its next attempt."""
    RUNNING = "running"
    """A worker has claimed it."""
    DONE = "done"
    """It took effect."""
    FAILED = "failed"
    """It ended without effect."""
    UNKNOWN = "unknown"
    """It ended, and its effect is unknown."""
    STUCK = "stuck"
    """An undo that failed for good, or any past the point of no return."""
    SKIPPED = "skipped"
    """An operator did or undid it by hand."""
    OMITTED = "omitted"
    """Its condition was false."""
    WAITING = "waiting"
    """It waits for signals, or for a time."""


SAGA_MOVES: Final[Mapping[SagaStatus, frozenset[SagaStatus]]] = {
    SagaStatus.PENDING: frozenset({SagaStatus.RUNNING, SagaStatus.COMPENSATING, SagaStatus.STUCK}),
    SagaStatus.RUNNING: frozenset(
        {SagaStatus.COMPLETED, SagaStatus.COMPENSATING, SagaStatus.STUCK}
    ),
    SagaStatus.COMPENSATING: frozenset({SagaStatus.COMPENSATED, SagaStatus.STUCK}),
    SagaStatus.STUCK: frozenset({SagaStatus.RUNNING, SagaStatus.COMPENSATING}),
    SagaStatus.COMPLETED: frozenset({SagaStatus.COMPENSATING}),
    SagaStatus.COMPENSATED: frozenset(),
}
"""The legal moves of a saga. A completed one turns back only with the saga that it is a step of."""

RECORD_MOVES: Final[Mapping[RecordState, frozenset[RecordState]]] = {
    RecordState.PENDING: frozenset(
        {
            RecordState.RUNNING,
            RecordState.FAILED,
            RecordState.UNKNOWN,
            RecordState.SKIPPED,
            RecordState.OMITTED,
            RecordState.WAITING,
        }
    ),
    RecordState.RUNNING: frozenset(
        {
            RecordState.PENDING,
            RecordState.DONE,
            RecordState.FAILED,
            RecordState.UNKNOWN,
            RecordState.STUCK,
            RecordState.OMITTED,
        }
    ),
    RecordState.STUCK: frozenset({RecordState.PENDING, RecordState.SKIPPED}),
    RecordState.DONE: frozenset(),
    RecordState.FAILED: frozenset(),
    RecordState.UNKNOWN: frozenset({RecordState.PENDING, RecordState.DONE, RecordState.FAILED}),
    RecordState.SKIPPED: frozenset(),
    RecordState.OMITTED: frozenset(),
    RecordState.WAITING: frozenset(
        {
            RecordState.PENDING,
            RecordState.DONE,
            RecordState.FAILED,
            RecordState.STUCK,
            RecordState.SKIPPED,
        }
    ),
}
"""The legal moves of a record. Only a person moves it from stuck, and only a verification from unknown."""

ENDED: Final = frozenset({SagaStatus.COMPLETED, SagaStatus.COMPENSATED})
"""The statuses that a saga ends in."""

LIVE: Final = tuple(status for status in SagaStatus if status not in ENDED)
"""The statuses of sagas that have not ended, in the order of `SagaStatus`."""


def step_state(
    primary: RecordState,
    fallback: RecordState | None,
    compensations: Mapping[str, RecordState],
    *,
    backward: bool,
) -> StepState:
    """Tell the state of a step from its records.

    `fallback` is None until the step has switched to it. `compensations` holds, by channel, those that
    the saga has come to or owes; while it goes forward they belong to the switch to a fallback.
    """
    last = primary if fallback is None else fallback
    forward = StepState.SKIPPED if last is RecordState.OMITTED else StepState(last)
    if fallback is not None and not backward and RecordState.RUNNING in compensations.values():
        return StepState.RUNNING
    if not backward or not compensations:
        return forward
    states = set(compensations.values())
    if RecordState.STUCK in states:
        return StepState.STUCK
    if states <= {RecordState.DONE, RecordState.SKIPPED}:
        skipped = RecordState.SKIPPED in states
        return StepState.SKIPPED if skipped else StepState.COMPENSATED
    return StepState.COMPENSATING
