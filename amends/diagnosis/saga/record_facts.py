"""What a record of a saga is at. Moments are seconds since 1970 by the log's clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from amends.diagnosis.saga.kin import ChildFacts, ChildFailure
from amends.log.queries.open_waits import OpenWait


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
    WAITING = "waiting"
    """It waits for signals, for a time, or for a child."""
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
    """An activity that runs, comes next, or failed for good. Its `step` is called as in its path.

    `attempts` of `max_attempts` (None is no limit) were spent, `deaths` of its processes and `unregistered`
    messages of `poison_after` came, since a person last renewed them; `spent` attempts in all. `undoes` is the activity
    that an undo takes back. `frame` is where `error` was raised. `output_fields` are those of its output, None where it has none. `is_known` tells whether
    this process has its code, and so knows of an output. `waits_for` tells of one that waits in the log, for signals or a time.
    `child` is the saga that its step is, None before there is one, and `child_failure` what this saga does if that turns back.
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
    frame: str | None
    is_known: bool
    output_fields: tuple[str, ...] | None
    waits_for: OpenWait | None = None
    child: ChildFacts | None = None
    child_failure: ChildFailure | None = None

    @property
    def is_child(self) -> bool:
        """Whether its step is a saga of its own."""
        return self.child_failure is not None


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

    `state` is None where this process has no such breaker. `retry_after` is in seconds. `forced_until` is when one that is
    forced open is so no more, in seconds since 1970; None where only an operator ends that.
    """

    name: str
    state: str | None
    retry_after: float | None
    by: str
    why: str
    forced_until: float | None = None


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
class Position:
    """A record that runs or comes next, and where it is. `next_at` is when something happens to it by itself, at the latest."""

    record: Record
    situation: Situation
    claim: Claim | None
    wait: Wait | None
    circuit: Circuit | None
    message: Message | None
    is_taken: bool | None
    next_at: float | None


@dataclass(frozen=True, kw_only=True)
class StageFacts:
    """The stage of several branches that a saga is at, forward or on its way back.

    `items` is the path of the list whose items its branches are, None for branches of the definition. Of its branches
    `at_hand` counts those that run or come next by what they are at, `waiting` those that wait for a place, of which
    there are `concurrency` (None is no bound), `stuck` those whose undo failed for good, and `finished` the rest. It
    `is_settling` while the saga has turned back and something of the stage still runs. `others` tells of the first of
    those at hand besides the one that the explanation is about.
    """

    steps: tuple[str, ...]
    items: str | None
    concurrency: int | None
    branches: int
    is_undo: bool
    is_ordered: bool
    is_settling: bool
    at_hand: Mapping[Situation, int]
    waiting: int
    stuck: int
    finished: int
    then: str | None  #: What comes next in the branch of the record that the explanation is about.
    others: tuple[Position, ...]
