"""The Celery app of the order system: ``celery -A tasks worker``."""

from celery import Celery

import amends  # noqa: F401 - registers the engine's tasks and its part of the worker

app = Celery("tasks", config_source="celeryconfig")
app.set_default()
