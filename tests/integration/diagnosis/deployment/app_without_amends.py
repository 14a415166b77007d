"""An app that does not know amends, and consumes a queue of sagas."""

import os

from celery import Celery

app = Celery("plain", broker=os.environ["BROKER"])
app.conf.task_default_queue = "examined"
