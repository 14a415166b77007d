"""The Celery task that each activity is."""

import secrets
import time
from typing import Any, ClassVar

from celery import Task
from celery.result import AsyncResult

from amends.activities.attempt import Definition, compensated_output, perform, wait_after
from amends.errors import Refused
from amends.invocation import Context, entered
from amends.payload import output_json, validated


class ActivityTask(Task[Any, Any]):
    """An activity's task. In a saga its message brings ``saga_id`` and ``step``, else the input."""

    abstract = True
    typing = False
    acks_late = True
    reject_on_worker_lost = True
    acks_on_failure_or_timeout = True
    ignore_result = True
    max_retries = None
    activity: ClassVar[Definition]

    def apply_async(  # type: ignore[override]  # Celery's options pass through
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> AsyncResult[Any]:
        """Publish; in a saga, as its child (a chain would make it a child of the step before)."""
        if self.activity.queue:
            options.setdefault("queue", self.activity.queue)
        if _in_saga(args, kwargs):
            options["root_id"] = options["parent_id"] = kwargs["saga_id"]
        return super().apply_async(args, kwargs, **options)

    def perform(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do what a message asks for."""
        if _in_saga(args, kwargs):
            perform(self, self.activity, kwargs["saga_id"], kwargs["step"])
            return None
        return self._perform_alone(args)

    def _perform_alone(self, args: tuple[Any, ...]) -> Any:
        activity = self.activity
        attempt = (self.request.retries or 0) + 1
        current = Context(
            saga_id=None,
            step=None,
            attempt=attempt,
            deadline=time.time() + activity.start_to_close_timeout,
            idempotency_key=self.request.id or secrets.token_hex(8),
        )
        arguments: list[Any] = [validated(activity.parameters[0], args[0])]
        arguments += [compensated_output(activity, value) for value in args[1:]]
        try:
            with entered(current):
                return output_json(activity.output, activity.function(*arguments))
        except Exception as error:
            if isinstance(error, Refused) or not activity.retry.allows(error, attempt):
                raise
            wait = wait_after(activity.retry, error, attempt)
            raise self.retry(exc=error, countdown=wait) from error


def _in_saga(args: Any, kwargs: Any) -> bool:
    return not args and bool(kwargs) and kwargs.keys() == {"saga_id", "step"}
