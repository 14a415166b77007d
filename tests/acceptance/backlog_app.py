"""Sagas of one slow step each, over several queues; with LOST_AFTER, a worker finds a message overdue after so many seconds."""

import hashlib
import os
import time

from celery import Celery
from pydantic import BaseModel

from amends import Saga, Step, activity
from amends.backend import scripts
from amends.log import watermarks

QUEUES = [f"backlog_{n}" for n in range(4)]

app = Celery("backlog", broker=os.environ["CELERY_BROKER_URL"], set_as_current=False)
app.conf.update(
    amends_backend=os.environ["AMENDS_BACKEND"],
    amends_sweep_interval=0.2,
    worker_prefetch_multiplier=4,
)

if lost_after := float(os.environ.get("LOST_AFTER", "0")):
    watermarks.LOST_AFTER = lost_after  # type: ignore[attr-defined,misc]
    text = scripts.SCRIPTS["dispatch_saga"]
    faster = text.replace("local LOST_AFTER = 60000", f"local LOST_AFTER = {lost_after * 1000:.0f}")
    assert faster != text
    digest = hashlib.sha1(faster.encode(), usedforsecurity=False).hexdigest()
    scripts.SCRIPTS["dispatch_saga"], scripts.DIGESTS["dispatch_saga"] = faster, digest


class Letter(BaseModel):
    """What a saga sends."""


class Sent(BaseModel):
    outcome: str


def saga_of(queue: str) -> Saga[Letter, Sent]:
    """Define the saga whose step goes to a queue."""

    def send(letter: Letter) -> None:
        time.sleep(0.05)

    step = activity(name=f"send_{queue}", queue=queue)(send)
    return Saga(queue, input=Letter, output=Sent, steps=[Step(step, compensation=None)])


sagas = {queue: saga_of(queue) for queue in QUEUES}
