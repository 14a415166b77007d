"""The rows in Flower of steps that run under the message of another one: Celery sends no events of them."""

import time
import traceback
from collections.abc import Mapping
from typing import Any

from celery import Celery

from amends.telemetry.flower import draw, sends_events
from amends.telemetry.flower_rows import RUNNING, RowEvent


class StepRow:
    """The row of one step, which begins as it is made: what a worker sends of a task with a message."""

    def __init__(self, app: Celery, task_id: str, name: str, arguments: Mapping[str, str]) -> None:
        self._app = app
        self._fields = {
            "uuid": task_id,
            "name": name,
            "args": "()",
            "kwargs": repr(arguments),
            "root_id": arguments["saga_id"],
            "parent_id": arguments["saga_id"],
            "retries": 0,
        }
        self._began = time.monotonic()
        self._draw(*RUNNING)

    def end(self, error: BaseException | None, *, retried: bool, fails: bool) -> None:
        """Tell how it ended: an undo that failed for good succeeds as a task, for those after it go on."""
        if error and (retried or fails):
            told = "".join(traceback.format_exception(error))
            type_ = "task-retried" if retried else "task-failed"
            self._draw(type_, exception=repr(error), traceback=told)
        else:
            self._draw("task-succeeded", result="None", runtime=time.monotonic() - self._began)

    def _draw(self, *types: str, **fields: Any) -> None:
        if sends_events():
            told = {**self._fields, **fields, "timestamp": time.time()}
            draw(self._app, [RowEvent(type_, told) for type_ in types])
