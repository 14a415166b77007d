"""The parts of an explanation. Moments are seconds since 1970 by the log's clock."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from amends.definition.states import SagaStatus

Act = Literal["retry", "skip", "cancel", "pause", "resume"]


class Situation(StrEnum):
    """What a saga is at."""

    RUNNING = "running"
    """A worker is at it."""
    LOST = "lost"
    """Whoever was at it is gone; a sweep takes it over."""
    RETRYING = "retrying"
    """It waits for its next attempt."""
    DEFERRED = "deferred"
    """It waits for a circuit breaker."""
    QUEUED = "queued"
    """Its message is under way, and nobody has claimed it."""
    UNREGISTERED = "unregistered"
    """Its message met a worker that does not know its task, and another one follows."""
    PAUSED = "paused"
    """Nothing begins until a person resumes it."""
    STUCK = "stuck"
    """A person is needed."""
    ENDED = "ended"
    """Nothing more happens."""


class Role(StrEnum):
    """What an activity is for its step."""

    STEP = "step"
    """The step itself."""
    FALLBACK = "fallback"
    """What stands in for it."""
    EARLY_COMPENSATION = "void"
    """The compensation of a primary that may have taken effect, before its fallback begins."""
    COMPENSATION = "undo"
    """Its compensation."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """An activity that runs, comes next, or failed for good.

    `attempts` of `max_attempts` (None is no limit) were spent, `deaths` of its processes and `unregistered`
    messages of `poison_after` came, since a person last renewed them; `spent` attempts in all. `undoes` is the activity
    that an undo takes back. `output_fields` are those of its output, None where it has none. `is_known` tells whether
    this process has its code, and so knows of an output.
    """

    path: str
    step: str
    task: str
    role: Role
    undoes: str | None
    attempts: int
    max_attempts: int | None
    spent: int
    deaths: int
    unregistered: int
    poison_after: int
    error: str | None
    is_known: bool
    output_fields: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who is at a record, and for how long at most.

    `worker` is what Celery calls it, '' where it is not heard of any more, or where the saga runs without one;
    `heartbeat_age` is in seconds, None where there is none. `lost` tells how it was lost: by the ``death`` of its
    process, or with ``nothing`` spent, where that went on without it.
    """

    worker: str
    pid: str
    message: str
    since: float
    soft_limit_at: float
    hard_limit_at: float
    given_up_at: float
    heartbeat_age: float | None
    lost: Literal["death", "nothing"] | None


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Until when a record waits, and whether a ``message`` brings it back or the ``log``, by a sweep."""

    until: float
    by: Literal["message", "log"]


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """The circuit breaker that keeps a record waiting.

    `state` is None where this process has no such breaker. `retry_after` is in seconds.
    """

    name: str
    state: str | None
    retry_after: float | None
    by: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Message:
    """The message that nobody has claimed, the last of `dispatches`.

    `queue_length` is None where the broker did not say, for the reason in `broker_error`, or where a route
    names no queue. `holder` is the worker that has it in hand, '' if none says so. `lost_at` is when a sweep judges whether
    it is lost, None where none does: a worker has it, or none consumes its queue.
    """

    queue: str | None
    queue_length: int | None
    broker_error: str | None
    sent_at: float
    dispatches: int
    lost_at: float | None
    holder: str = ""


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


@dataclass(frozen=True, kw_only=True)
class OwedCompensation:
    """A compensation that a cancel would start. It `is_certain` if the step certainly took effect."""

    path: str
    task: str
    undoes: str
    is_certain: bool


@dataclass(frozen=True, kw_only=True)
class CancelEffect:
    """What a cancel would do now: `undoes`, in order, and `keeps` steps that have no compensation."""

    is_possible: bool
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

    `events` is the length of its history, which an act takes as `seen`. `record` is what runs or comes
    next, `remaining` the paths of all that remains. `next_at` is when something happens
    next by itself, at the latest; None where a person is needed, or only the broker knows. `overdue` is how many
    seconds ago a sweep should have looked at it: more than half a minute means that no worker sweeps. `is_taken` tells of
    a record whose message nobody has claimed whether a live worker knows its task and consumes its queue, None where no
    worker says what it takes. `replicas_missing` of those that `amends_wait_replicas` waits for do not follow the Redis that
    has it: until they do, no transition is answered.
    """

    id: str
    saga: str
    status: SagaStatus
    situation: Situation
    now: float
    since: float
    events: int
    created_at: float
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
