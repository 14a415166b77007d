"""A small app whose work takes as long as a test says; the settings come from the environment."""

import os
import signal
import time
from pathlib import Path

from celery import Celery
from celery.signals import worker_shutting_down
from pydantic import BaseModel

from amends import NotDone, RetryPolicy, Saga, Step, activity, context
from amends.definition.itinerary import Dispatch
from amends.worker import heartbeat

app = Celery("slow", broker=os.environ["CELERY_BROKER_URL"], set_as_current=False)
app.conf.update(
    amends_backend=os.environ["AMENDS_BACKEND"],
    amends_sweep_interval=float(os.environ.get("SWEEP_INTERVAL", "0.2")),
    task_default_queue=os.environ["QUEUE"],
    worker_prefetch_multiplier=int(os.environ.get("PREFETCH_MULTIPLIER", "1")),
)


heartbeat.JUDGES_AFTER = float(os.environ.get("JUDGES_AFTER", heartbeat.JUDGES_AFTER))
LINGER = float(os.environ.get("LINGER", "0"))


@worker_shutting_down.connect
def linger(**_: object) -> None:
    """Hold up the worker's end, as somebody's receiver might: its messages are cancelled, and it beats still."""
    time.sleep(LINGER)


def end_slowly(*_: object) -> None:
    """Be still there for a while, as on a busy machine."""
    time.sleep(LINGER)
    os._exit(1)


class Job(BaseModel):
    """Work for so many seconds, after a first attempt that asks for a wait."""

    job_id: str
    seconds: float = 0.0
    wait: float = 0.0


class Result(BaseModel):
    outcome: str


@activity(
    start_to_close_timeout=120.0,
    retry=RetryPolicy(max_attempts=3, initial_interval=0.1, jitter=0.0),
)
def work(job: Job) -> None:
    """Work, or ask for the wait."""
    if LINGER:
        signal.signal(signal.SIGTERM, end_slowly)
    if "CALLS" in os.environ:
        with Path(os.environ["CALLS"]).open("a", encoding="ascii") as calls:
            calls.write(f"{job.job_id}\n")
    if job.wait and context().attempt == 1:
        raise NotDone("later", retry_after=job.wait)
    time.sleep(job.seconds)


@activity(start_to_close_timeout=10.0)
def hand_over(job: Job) -> None:
    """Do nothing more."""


def saga_of(name: str, dispatch: Dispatch) -> Saga[Job, Result]:
    """Define the saga of work and its handing over."""
    steps = [Step(work, compensation=None), Step(hand_over, compensation=None)]
    return Saga(name, input=Job, output=Result, steps=steps, dispatch=dispatch)


sagas = {"chain": saga_of("slow", "chain"), "inline": saga_of("inline_slow", "inline")}
