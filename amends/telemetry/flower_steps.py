"""The rows in Flower of steps that run under the message of another one: Celery sends no events of them."""

import time
from collections.abc import Mapping
from typing import Any

from celery import Celery, states
from celery.utils.saferepr import saferepr as safe_repr
from kombu.utils.encoding import safe_str

from amends.telemetry.flower import draw, sends_events
from amends.telemetry.flower_rows import RUNNING, RowEvent


class StepRow:
    """The row of one step, which begins as it is made: what a worker sends of a task with a message."""

    def __init__(self, app: Celery, task_id: str, name: str, arguments: Mapping[str, str]) -> None:
        self._app = app
        self._task_id = task_id
        self._name = name
        self._arguments = arguments
        self._draw(*RUNNING)

    def end(self, traced: Any) -> None:
        """Tell how it ended, by what Celery's tracer returned."""
        result, info, runtime, text = traced
        if info is None:
            self._draw("task-succeeded", result=text, runtime=runtime)
            return
        type_ = "task-retried" if info.state == states.RETRY else "task-failed"
        error = getattr(info.retval, "exc", None) or info.retval  # a retry brings why
        is_answer = info.state == states.IGNORED
        told = "" if is_answer else safe_str(result.traceback)
        self._draw(type_, exception=str(error) if is_answer else safe_repr(error), traceback=told)

    def _draw(self, *types: str, **fields: Any) -> None:
        if not sends_events():
            return
        told = {
            "uuid": self._task_id,
            "name": self._name,
            "args": "()",
            "kwargs": repr(self._arguments),
            "root_id": self._arguments["saga_id"],
            "parent_id": self._arguments["saga_id"],
            "retries": 0,
            **fields,
            "timestamp": time.time(),
        }
        draw(self._app, [RowEvent(type_, told) for type_ in types])
