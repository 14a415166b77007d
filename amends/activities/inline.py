"""Going on with a saga's next step under the message of the one before, without a trip through the broker."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from dataclasses import dataclass
from typing import Any

from celery import Celery
from celery.utils.log import get_task_logger

from amends.definition.itinerary import RecordPlan
from amends.dispatch.routing import queue_of
from amends.log.answers import Run
from amends.log.owner import WorkerProcess
from amends.telemetry.flower_steps import StepRow

_logger = get_task_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link of a message's chain: the record that it is for, and how Celery keeps it."""

    path: str
    task_id: str
    retries: int
    message: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class InlineStep:
    """A step that is claimed to run under the message of the one before."""

    link: Link
    run: Run
    token: str
    rest: list[dict[str, Any]]  #: The chain after it, reversed.
    headers: dict[str, Any] | None  #: The message's own, such as a tracer's.

    def request(self, of_message: dict[str, Any] | None) -> dict[str, Any]:
        """Build the request of its task, as Celery builds it from a message.

        of_message: the request of the message that it runs under.
        """
        kwargs = self.link.message["kwargs"]
        return {
            **(of_message or {}),
            "id": self.link.task_id,
            "task": self.run.itinerary.records[self.link.path].call.task,
            "args": [],
            "kwargs": kwargs,
            "argsrepr": "()",
            "kwargsrepr": repr(kwargs),
            "retries": self.link.retries,
            "root_id": kwargs["saga_id"],
            "parent_id": kwargs["saga_id"],
            "correlation_id": self.link.task_id,
            "chain": self.rest,
            "headers": self.headers or {},  # given, Celery does not look for them again
            "errbacks": None,  # what follows a failure is published by the step
            "eta": None,
        }


def may_run_inline(app: Celery, record: RecordPlan, saga_id: str) -> bool:
    """Tell whether this worker would run a record's message too, and goes on.

    A rate limit is kept where messages arrive, and so what has one needs a message.
    """
    task: Any = app.tasks.get(record.call.task)
    if WorkerProcess.current.is_ending.value or task is None or task.rate_limit:
        return False
    if _tracer_of(task) is None:
        return False
    return queue_of(app, record, saga_id) in app.amqp.queues.consume_from


def trace_inline(app: Celery, step: InlineStep, of_message: dict[str, Any] | None) -> None:
    """Run a step in its own task, traced by Celery: its signals, hooks and log lines are those of a step with a message.

    of_message: the request of the message that it runs under.
    """
    request = step.request(of_message)
    task: Any = app.tasks[request["task"]]
    row = StepRow(app, request["id"], task.name, request["kwargs"])
    try:
        row.end(_tracer_of(task)(request["id"], request["args"], request["kwargs"], request))
    except Exception:  # the tracer lets pass what rejects a message, and this one is another step's
        _logger.exception("%s: its task could not be traced to its end", request["id"])


def _tracer_of(task: Any) -> Any:
    """Return Celery's tracer of an activity's task; None where it is not set, or no activity's."""
    return getattr(task.__trace__, "trace", None)
