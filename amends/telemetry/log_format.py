"""Log records as JSON, and without Celery's own lines about the tasks of sagas: classes for `logging.config`.

amends configures no logger: these are for an app that does.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from celery import current_app, current_task

from amends.dispatch.messages import ADVANCE
from amends.log.owner import WorkerProcess

_PLAIN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What each record has: all else was given to it as `extra`."""
_LEFT_OUT: Final = frozenset({"data"})
"""Celery's, which has the arguments of tasks: a line may be read by more people than a payload."""
_OF_SAGA: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.\d+\.\S+")
"""The id of a saga's task: ``order-1047.3.process_payment``. Other ids are UUIDs."""

Fields = Mapping[str, Any]
_sources: Final[list[Callable[[], Fields]]] = []


def subscribe_fields(source: Callable[[], Fields]) -> None:
    """Let records that are written from now on have the fields of this source, too."""
    _sources.append(source)


class JsonFormatter(logging.Formatter):
    """Writes a record as a JSON object on one line.

    Its fields: `time` (UTC), `level`, `logger`, `message`; in a worker `worker`, `process`, `task_name` and `task_id`; what
    amends knows of `saga_id`, `saga`, `step`, `attempt` and `event`, also in lines that an activity writes; all that was
    given as `extra`; and `exception` and `stack`. A field without a value is left out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write a record. What is no JSON is written as its text."""
        fields = {name: value for name, value in self._fields(record) if value is not None}
        return json.dumps({name: _jsonable(value) for name, value in fields.items()})

    def _fields(self, record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        yield "time", at.replace("+00:00", "Z")
        yield "level", record.levelname
        yield "logger", record.name
        yield "message", record.getMessage()
        yield "worker", WorkerProcess.current.node or None
        yield "process", record.process
        for source in _sources:
            yield from source().items()
        for name, value in vars(record).items():
            if name not in _PLAIN and name not in _LEFT_OUT and value is not None:
                yield name, value
        if current_task:  # else a line of a saga has its row in Flower for that
            yield "task_name", current_task.name
            yield "task_id", current_task.request.id
        if record.exc_info:
            yield "exception", self.formatException(record.exc_info)
        if record.stack_info:
            yield "stack", self.formatStack(record.stack_info)


class WithoutSagaTasks(logging.Filter):
    """Keeps back Celery's lines at INFO of the tasks of sagas: received, succeeded, ignored, retried.

    For the loggers ``celery.app.trace`` and ``celery.worker.strategy``. The line of each event of the saga stays, and so do
    errors, and tasks of the app's own.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is written."""
        data = getattr(record, "data", None)
        if record.levelno > logging.INFO or not isinstance(data, Mapping):
            return True
        name, task_id = str(data.get("name")), str(data.get("id"))
        is_ours = name == ADVANCE or hasattr(current_app.tasks.get(name), "activity")
        return not (is_ours and _OF_SAGA.fullmatch(task_id))


def _jsonable(value: Any) -> Any:
    """Return a value, or its text where JSON has no such thing."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        try:
            return str(value)
        except Exception:  # noqa: BLE001 - a line must not fail because of what it tells of
            return object.__repr__(value)
    return value
