"""Sagas that both releases run. What the calls of one come to is in its input.

``a``, ``b`` and ``d`` have compensations, ``b`` a fallback too; the failure of ``c`` is passed over; ``e`` is the last.
"""

import time
from typing import Any, Final

from pydantic import BaseModel, Field

from amends import NotDone, Refused, RetryPolicy, Saga, Step, activity, context
from tests.compatibility.receiver import receiver

QUICK: Final = RetryPolicy(max_attempts=3, initial_interval=0.01, max_interval=0.05, jitter=0.0)


class Job(BaseModel):
    """What a saga is asked for: by path of a record, what becomes of its calls.

    misses, breaks: how many of the first attempts have no effect, and how many have one of which nobody hears.
    takes: seconds of each call.
    """

    job_id: str
    refuses: list[str] = Field(default_factory=list)
    misses: dict[str, int] = Field(default_factory=dict)
    breaks: dict[str, int] = Field(default_factory=dict)
    takes: float = 0.0


class Part(BaseModel):
    """What a step gives."""

    part: str


class PartJob(Job):
    """A job with what an earlier step gave."""

    part: str


class JobResult(BaseModel):
    """What a saga came to."""

    job_id: str
    outcome: str
    a: str | None = None
    b: str | None = None
    d: str | None = None
    error: str | None


def play(job: Job, *seen: object) -> Part:
    """Do what the input says, and note the call with what it was given."""
    at = context()
    path = at.idempotency_key.partition(":")[2]
    if at.undone:
        key, kind = at.undone.idempotency_key, "undo"
    else:
        key, kind = at.idempotency_key, "make"
    time.sleep(job.takes)
    if path in job.refuses or at.attempt <= job.misses.get(path, 0):
        kind = "note"
    if not receiver().call(job.job_id, key, kind, path, at.attempt, *seen):
        raise Refused(f"{path} was taken back")
    if path in job.refuses:
        raise Refused(f"{path} is refused")
    if at.attempt <= job.misses.get(path, 0):
        raise NotDone(f"{path} is not done")
    if at.attempt <= job.breaks.get(path, 0):
        raise ConnectionError(f"{path} gave no answer")
    return Part(part=f"{path} by attempt {at.attempt}")


@activity(name="compatibility.do", retry=QUICK)
def do(job: Job) -> Part:
    """Do a step."""
    return play(job)


@activity(name="compatibility.do_otherwise", retry=QUICK)
def do_otherwise(job: Job) -> Part:
    """Do it the other way."""
    return play(job)


@activity(name="compatibility.do_more", retry=QUICK)
def do_more(job: PartJob) -> Part:
    """Do a step that needs the part of an earlier one."""
    return play(job, job.part)


@activity(name="compatibility.undo", retry=QUICK)
def undo(job: Job, part: Part | None) -> None:
    """Undo a step."""
    play(job, part and part.part)


@activity(name="compatibility.undo_more", retry=QUICK)
def undo_more(job: PartJob, part: Part | None) -> None:
    """Undo a step that needed a part."""
    play(job, job.part, part and part.part)


def saga_of(name: str, **how: Any) -> Saga[Job, JobResult]:
    """Define the saga of five steps."""
    return Saga(
        name,
        input=Job,
        output=JobResult,
        outputs={step: f"{step}.part" for step in ("a", "b", "d")},
        steps=[
            Step(do, name="a", compensation=undo, outcome="no_a"),
            Step(do, name="b", fallback=do_otherwise, compensation=undo, outcome="no_b"),
            Step(
                do_more,
                name="c",
                compensation=None,
                inputs={"part": "b.part"},
                on_failure="continue",
            ),
            Step(
                do_more,
                name="d",
                compensation=undo_more,
                inputs={"part": "a.part"},
                outcome={Refused: "d_refused", Exception: "no_d"},
            ),
            Step(do_more, name="e", compensation=None, inputs={"part": "d.part"}, outcome="no_e"),
        ],
        **how,
    )


long_saga = saga_of("long", timeout=3600.0)
inline_saga = saga_of("inline", dispatch="inline")
hasty_saga = saga_of("hasty", timeout=0.5)
bare_saga = Saga(
    "bare",
    input=Job,
    output=JobResult,
    outputs={"a": "a.part"},
    steps=[
        Step(do, name="a", compensation=None, outcome="no_a"),
        Step(do, name="b", compensation=None, outcome="no_b"),
    ],
)

SAGAS: Final = {each.name: each for each in (long_saga, inline_saga, hasty_saga, bare_saga)}
