"""The message of a chain, prepared: all that Celery makes of a canvas but for what is a saga's own.

Building and freezing a canvas costs more than the rest of a start. So it is built once for each list of
records, with stand-ins for what differs from saga to saga, and kept as text.
"""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from celery import Celery, Task
from celery.app.amqp import task_message
from celery.app.task import extract_exec_options  # type: ignore[attr-defined]  # not in its stubs
from celery.utils.nodenames import anon_nodename
from kombu import exceptions
from kombu.exceptions import OperationalError

from amends.channels import keep_client

SAGA: Final = "amends0stands0for0a0saga"
"""Stands for the saga's id, which like this needs no escape in JSON nor in a ``repr``."""
NUMBER: Final = 10**15
"""Stands for the number of the first message; those after it count on."""

_NUMBERS: Final = re.compile(r"\b1000000000(\d{6})\b")
_ORIGIN: Final = "amends0stands0for0a0process"
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


def may_prepare(app: Celery, task: Any) -> bool:
    """Tell whether a prepared message of this task is the very one that Celery would publish.

    A library that traces calls wraps what is passed by here, and would miss the message.
    """
    return (
        _is_celerys(app.send_task, "celery.app.base")
        and _is_celerys(Task.apply_async, "celery.app.task")
        and hasattr(task, "own_options")  # else nobody knows here how it is published
        and task.expires is None  # it is a time from now
        and app.amqp.create_task_message == app.amqp.as_task_v2  # the protocol with headers
    )


def _is_celerys(function: Any, module: str) -> bool:
    return function.__module__ == module and not hasattr(function, "__wrapped__")


class PreparedChain:
    """A canvas of `SAGA` whose messages are numbered from `NUMBER`, for any saga and number."""

    def __init__(self, app: Celery, canvas: Any, link_error: Any) -> None:
        *rest, first = canvas.prepare_steps((), {}, canvas.tasks, link_error=link_error, app=app)[0]
        task: Any = app.tasks[first.task]
        # As ``ActivityTask.apply_async``, ``Task.apply_async`` and ``Celery.send_task`` join them.
        options = {**extract_exec_options(task), **task.own_options, **first.options}
        named = {name: options.pop(name, None) for name in _NAMED}
        self._options = options
        self._app, self._task = app, task
        message = app.amqp.create_task_message(
            name=first.task,
            args=first.args,
            kwargs=first.kwargs,
            errbacks=named.pop("link_error"),
            chain=rest,
            origin=_ORIGIN,
            ignore_result=task.ignore_result,
            create_sent_event=app.conf.task_send_sent_event,
            **named,
        )
        self._count = len(rest) + 1
        self._message = _formatted(app, json.dumps(message))

    def send(self, saga_ids: Sequence[str], number: int, producer: Any) -> None:
        """Publish it for each of these sagas. Raises kombu's ``OperationalError`` with the broker away."""
        connection = producer.connection
        try:
            if len(saga_ids) == 1 or not hasattr(producer, "batch"):  # kombu before 5.7
                self._send_each(saga_ids, number, producer)
            else:
                self._send_together(saga_ids, number, producer)
        except (
            *connection.recoverable_connection_errors,
            *connection.recoverable_channel_errors,
        ) as error:
            raise OperationalError(str(error)) from error

    def _send_together(self, saga_ids: Sequence[str], number: int, producer: Any) -> None:
        """Publish in one round trip where the broker takes it: Redis, unless its options have a retry of their own."""
        try:
            with producer.batch():
                self._send_each(saga_ids, number, producer)
        except exceptions.BatchPublishError:  # type: ignore[attr-defined]  # not in its stubs
            # Nobody knows what arrived. One by one each is tried again, and of two messages the log admits one.
            self._send_each(saga_ids, number, producer)

    def _send_each(self, saga_ids: Sequence[str], number: int, producer: Any) -> None:
        for saga_id in saga_ids:
            own = self._own(saga_id, number)
            headers, properties, body, sent_event = json.loads(self._message % own)
            options = self._route(body[1])
            # What is not connected is so by the publication, as often as Celery is told to try.
            if "queue" in options and producer.connection.connected:
                options["queue"] = _bound(options["queue"], producer.channel)
            message = task_message(headers, properties, tuple(body), sent_event)
            self._app.amqp.send_task_message(producer, self._task.name, message, **options)
        keep_client(producer.channel)

    def _route(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        options: dict[str, Any] = self._app.amqp.router.route(
            dict(self._options), self._task.name, (), kwargs, self._task
        )
        return options

    def _own(self, saga_id: str, number: int) -> dict[str, Any]:
        own = {f"n{k}": number + k for k in range(self._count)}
        return {
            **own,
            "saga": saga_id,
            "reply_to": self._app.thread_oid,
            "origin": anon_nodename(),
        }


@lru_cache(maxsize=100)
def _bound(queue: Any, channel: Any) -> Any:
    """Bind a queue, once: kombu binds a copy for each message to see that it is declared."""
    return queue.bind(channel)


def _formatted(app: Any, text: str) -> str:
    """Make a text one for ``%``, with names for what stands for something."""
    text = text.replace("%", "%%").replace(SAGA, "%(saga)s").replace(_ORIGIN, "%(origin)s")
    text = text.replace(app.thread_oid, "%(reply_to)s")
    return _NUMBERS.sub(lambda found: f"%(n{int(found[1])})d", text)
