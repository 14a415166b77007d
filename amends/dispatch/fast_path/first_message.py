"""The message of a chain's first link, as Celery makes it of a canvas."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from typing import Any, Final

from celery import Celery
from celery.app import amqp
from celery.app import task as celery_task

from amends.dispatch.fast_path.stand_ins import ORIGIN

_NAMED: Final = (  # by ``Celery.send_task``; what is left is for the router and the producer
    "task_id",
    "root_id",
    "parent_id",
    "retries",
    "expires",
    "time_limit",
    "soft_time_limit",
    "reply_to",
    "link_error",
)


def first_message(
    app: Celery, canvas: Any, link_error: Any
) -> tuple[Any, amqp.task_message, dict[str, Any]]:
    """Return the task of a chain's first link, its message, which brings the others, and the options for router and producer."""
    *rest, first = canvas.prepare_steps((), {}, canvas.tasks, link_error=link_error, app=app)[0]
    task: Any = app.tasks[first.task]
    # As ``ActivityTask.apply_async``, ``Task.apply_async`` and ``Celery.send_task`` join them.
    module: Any = celery_task  # not in its stubs
    options = {**module.extract_exec_options(task), **task.own_options, **first.options}
    named = {name: options.pop(name, None) for name in _NAMED}
    headers = options.pop("headers", None) or {}  # as ``AMQP.send_task_message`` joins them
    message = app.amqp.create_task_message(
        name=first.task,
        args=first.args,
        kwargs=first.kwargs,
        errbacks=named.pop("link_error"),
        chain=rest,
        origin=ORIGIN,
        ignore_result=task.ignore_result,
        create_sent_event=app.conf.task_send_sent_event,
        **named,
    )
    message.headers.update(headers)
    return task, message, options
