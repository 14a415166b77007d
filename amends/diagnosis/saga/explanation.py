"""The parts of an explanation. Moments are seconds since 1970 by the log's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amends.definition.states import SagaStatus
from amends.diagnosis.saga.kin import ParentFacts
from amends.diagnosis.saga.record_facts import (
    Circuit,
    Claim,
    Message,
    Record,
    Situation,
    StageFacts,
    Wait,
)
from amends.diagnosis.saga.times.segments import Times

Act = Literal["signal", "retry", "skip", "cancel", "pause", "resume"]


@dataclass(frozen=True, kw_only=True)
class OperatorAction:
    """What a person did, by the history."""

    name: str
    record: str | None
    at: float
    by: str | None
    why: str | None


@dataclass(frozen=True, kw_only=True)
class CompensationStart:
    """Why a saga goes back, and since when."""

    at: float
    outcome: str
    error: str | None
    frame: str | None  #: Where the application raised it.


@dataclass(frozen=True, kw_only=True)
class OwedCompensation:
    """A compensation that a cancel would start. It `is_certain` if the step certainly took effect.

    `child` is the id of the saga that the step is: it is undone if it has ended, and else cancelled.
    In a saga with stages of several branches those of one `turn` begin at once, as far as places allow; else it is None.
    """

    path: str
    task: str
    undoes: str
    is_certain: bool
    turn: int | None = None
    child: str | None = None


@dataclass(frozen=True, kw_only=True)
class CancelEffect:
    """What a cancel would do now: `undoes`, in order, and `keeps` steps that have no compensation; a wait has no effect.

    `pivot` is the point of no return, if the saga is past it or at it.
    """

    is_possible: bool
    pivot: str | None = None
    undoes: tuple[OwedCompensation, ...] = ()
    keeps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """What a person can do: an act, on a step where it takes one, with an output of these fields where it needs one."""

    act: Act
    step: str | None = None
    output_fields: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A saga at one moment, `now`: what it is at, since when, and what comes of it.

    `events` is the length of its history, which an act takes as `seen`. `begins_at` is of a delayed start. `record` is what runs or comes
    next, `remaining` the paths of all that remains. `next_at` is when something happens
    next by itself, at the latest; None where a person is needed, or only the broker knows. `overdue` is how many
    seconds ago a sweep should have looked at it: more than half a minute means that no worker sweeps. `is_taken` tells of
    a record whose message nobody has claimed whether a live worker knows its task and consumes its queue, None where no
    worker says what it takes. `replicas_missing` of those that `amends_wait_replicas` waits for do not follow the Redis that
    has it: until they do, no transition is answered. `stage` is the stage of several branches that it is at, of which `record`
    and what is told of it is one; None outside of such. `parent` is the saga that it is a step of. `causes` explain why a child
    that it waits for does not go on, each at the end of a row of sagas that wait for one another: what is stuck, or paused,
    or else the first. `times` tells where its time went.
    """

    id: str
    saga: str
    status: SagaStatus
    situation: Situation
    now: float
    since: float
    events: int
    created_at: float
    begins_at: float | None
    ended_at: float | None
    deadline_at: float | None
    outcome: str | None
    reason: str | None
    record: Record | None
    remaining: tuple[str, ...]
    claim: Claim | None
    wait: Wait | None
    circuit: Circuit | None
    message: Message | None
    is_taken: bool | None
    replicas_missing: int
    pause: OperatorAction | None
    turn: CompensationStart | None
    failures: tuple[Record, ...]
    actions: tuple[OperatorAction, ...]
    next_at: float | None
    looked_at: float | None
    overdue: float
    cancel: CancelEffect
    remedies: tuple[Remedy, ...]
    times: Times
    stage: StageFacts | None = None
    parent: ParentFacts | None = None
    causes: tuple[Explanation, ...] = ()

    @property
    def is_early(self) -> bool:
        """Whether its start was delayed, and it has not begun."""
        return self.status is SagaStatus.PENDING and (self.begins_at or 0.0) > self.now
