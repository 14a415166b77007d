"""A small app with one job that kills the process which runs it; deaths are judged within seconds."""

import os
import signal
import time

from celery import Celery
from pydantic import BaseModel

from amends import Saga, Step, activity
from amends.log import liveness
from amends.worker import heartbeat

liveness.DEAD_AFTER = heartbeat.DEAD_AFTER = heartbeat.JUDGES_AFTER = 5.0

app = Celery("poisoned", broker=os.environ["CELERY_BROKER_URL"], set_as_current=False)
app.conf.update(
    amends_backend=os.environ["AMENDS_BACKEND"],
    amends_namespace="poisoned",
    amends_sweep_interval=0.5,
    amends_poison_after=1,
    task_default_queue="poisoned",
)


class Job(BaseModel):
    is_poison: bool = False


class JobResult(BaseModel):
    outcome: str
    error: str | None


@activity
def begin(job: Job) -> None:
    """Take effect."""


@activity
def work(job: Job) -> None:
    """Take a second, with the process dying in the middle of it if the job is poison."""
    time.sleep(0.5)
    if job.is_poison:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.5)


@activity
def undo(job: Job, output: None) -> None:
    """Take back what may have been done."""


saga = Saga(
    "poisoned",
    input=Job,
    output=JobResult,
    steps=[Step(begin, compensation=undo), Step(work, compensation=undo)],
)
