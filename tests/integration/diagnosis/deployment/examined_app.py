"""A small app that workers run and the doctor examines; the settings come from the environment, as JSON."""

import json
import os

from celery import Celery
from pydantic import BaseModel

from amends import Saga, Step, activity

app = Celery("examined", set_as_current=False)
app.conf.update(
    task_default_queue="examined",
    amends_compensation_queue="undo",
    broker_transport_options={"socket_timeout": 5.0},
    **json.loads(os.environ["EXAMINED_SETTINGS"]),
)


class Job(BaseModel):
    job_id: str


class Result(BaseModel):
    outcome: str


@activity(name="examined.work", start_to_close_timeout=10.0)
def work(job: Job) -> None:
    """Work."""


@activity(name="examined.undo_work", start_to_close_timeout=10.0)
def undo_work(job: Job, nothing: None) -> None:
    """Take it back."""


examined_saga = Saga(
    "examined", input=Job, output=Result, steps=[Step(work, compensation=undo_work)]
)
