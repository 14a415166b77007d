"""A small app that workers run and the doctor examines; the settings come from the environment, as JSON."""

import json
import os

from celery import Celery
from pydantic import BaseModel

from amends import Saga, Step, activity

app = Celery("clinic", set_as_current=False)
app.conf.update(
    task_default_queue="clinic",
    amends_compensation_queue="undo",
    broker_transport_options={"socket_timeout": 5.0},
    **json.loads(os.environ["CLINIC"]),
)


class Job(BaseModel):
    job_id: str


class Result(BaseModel):
    outcome: str


@activity(name="clinic.work", start_to_close_timeout=10.0)
def work(job: Job) -> None:
    """Work."""


@activity(name="clinic.undo_work", start_to_close_timeout=10.0)
def undo_work(job: Job, nothing: None) -> None:
    """Take it back."""


clinic_saga = Saga("clinic", input=Job, output=Result, steps=[Step(work, compensation=undo_work)])
