"""A saga whose activities do what a test tells them to, over receivers that keep what was done.

``a`` and ``b`` have compensations, ``b`` a fallback too; ``c`` is the last. Each call is noted, and each
effect kept by its idempotency key, as a well-behaved service would.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery import signals
from pydantic import BaseModel

import amends
from amends import Context, Refused, RetryPolicy, Saga, Step, activity
from amends.definition.itinerary import Dispatch
from amends.log.saga_log import SagaLog
from tests.support.log_view import view_of

QUICK = RetryPolicy(max_attempts=3, initial_interval=0.01, max_interval=0.05, jitter=0.0)


class Job(BaseModel):
    job_id: str
    amount: int = 1


class Part(BaseModel):
    part: str


class JobResult(BaseModel):
    job_id: str
    outcome: str
    part: str | None
    error: str | None


@dataclass(frozen=True)
class Call:
    record: str
    request: Job
    context: Context
    output: Part | None = None


class Receiver:
    """What the world outside knows: effects in force, tombstones, and how often each was made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.in_force: set[str] = set()
        self.tombstones: set[str] = set()
        self.made: dict[str, int] = defaultdict(int)
        self.undone: dict[str, int] = defaultdict(int)
        self.order: list[str] = []

    def make(self, key: str) -> None:
        with self._lock:
            if key in self.tombstones:
                raise Refused(f"{key} was taken back")
            if key not in self.in_force:
                self.in_force.add(key)
                self.made[key] += 1
                self.order.append(key)

    def undo(self, key: str) -> None:
        with self._lock:
            self.tombstones.add(key)
            if key in self.in_force:
                self.in_force.discard(key)
                self.undone[key] += 1
                self.order.append("undo " + key)


class EngineSaga:
    """What a test says and sees."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.world = Receiver()
        self.ended: Counter[str] = Counter()
        self._scripts: dict[str, list[Callable[[str], Any]]] = defaultdict(list)

    def script(self, key: str, *behaviours: Callable[[str], Any]) -> None:
        """Say what the first attempts at the record of this key do; later ones just succeed."""
        self._scripts[key] += behaviours

    def play(self, request: Job, output: Part | None = None) -> None:
        current = amends.context()
        key = current.idempotency_key
        self.calls.append(Call(key.partition(":")[2], request, current, output))
        behaviours = self._scripts[key]
        act = behaviours.pop(0) if behaviours else succeed
        act(current.undoes.idempotency_key if current.undone else key)

    def records(self, saga_id: str) -> list[str]:
        """Tell which records were called, in order, repeats included."""
        return [call.record for call in self.calls if call.context.saga_id == saga_id]

    def let_wait(
        self, log: SagaLog, saga_id: str, seconds: float = 12.0, *, times: int = 1
    ) -> None:
        """Let the saga's message have been under way for so long, the last of so many, and a sweep look at it."""
        saga, _, due, *_ = view_of(log).keys_of(saga_id)
        now = view_of(log).client.time()[0] * 1000
        changes = {"sent": int(now - seconds * 1000), "dispatches": times}
        view_of(log).client.hset(saga, mapping=changes)
        view_of(log).client.zadd(due, {saga_id: 0})

    def let_time_run_out(self, log: SagaLog, saga_id: str) -> None:
        """Move the running attempt past its time, and the saga to the next sweep."""
        saga, _, due, *_ = view_of(log).keys_of(saga_id)
        record, attempt, at, _, *who = view_of(log).client.hget(saga, "claim").split("|")
        view_of(log).client.hset(saga, "claim", "|".join([record, attempt, at, "0", *who]))
        view_of(log).client.zadd(due, {saga_id: 0})


engine_saga = EngineSaga()


@signals.task_postrun.connect
def _note_the_end(task_id: str, **_: Any) -> None:
    engine_saga.ended[task_id] += 1


def succeed(key: str) -> None:
    """Take effect; an undo takes it back, and a verification has no effect."""
    if amends.context().undone:
        engine_saga.world.undo(key)
    elif not amends.context().verified:
        engine_saga.world.make(key)


def without_effect(error: Exception) -> Callable[[str], None]:
    """Fail before anything happens."""

    def act(_: str) -> None:
        raise error

    return act


def after_effect(error: Exception) -> Callable[[str], None]:
    """Take effect, and fail then: the reply is lost."""

    def act(key: str) -> None:
        succeed(key)
        raise error

    return act


@activity(retry=QUICK)
def do_a(job: Job) -> Part:
    engine_saga.play(job)
    return Part(part="a")


@activity(retry=QUICK)
def undo_a(job: Job, part: Part | None) -> None:
    engine_saga.play(job, part)


@activity(retry=QUICK)
def do_b(job: Job) -> Part:
    engine_saga.play(job)
    return Part(part="b")


@activity(retry=QUICK)
def do_b_otherwise(job: Job) -> Part:
    engine_saga.play(job)
    return Part(part="b otherwise")


@activity(retry=QUICK)
def undo_b(job: Job, part: Part | None) -> None:
    engine_saga.play(job, part)


@activity(retry=QUICK)
def do_c(job: Job) -> None:
    engine_saga.play(job)


def saga_of(name: str, *more: Step[Any, Any], dispatch: Dispatch = "chain") -> Saga[Job, JobResult]:
    """Define the saga of three steps, or with more before the last."""
    return Saga(
        name,
        input=Job,
        output=JobResult,
        outputs={"part": "b.part"},
        dispatch=dispatch,
        steps=[
            Step(do_a, name="a", compensation=undo_a, outcome="no_a"),
            Step(do_b, name="b", fallback=do_b_otherwise, compensation=undo_b, outcome="no_b"),
            *more,
            Step(do_c, name="c", compensation=None, outcome="no_c"),
        ],
    )


job_saga = saga_of("job")
inline_saga = saga_of("inline", dispatch="inline")
