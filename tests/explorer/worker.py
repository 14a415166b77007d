"""A worker as far as a message is concerned: what it runs is Celery's own request and tracer.

``celery/worker/request.py`` acknowledges, gives back and knows lost children in the worker's main
process; ``celery/app/trace.py`` runs the task in a child, with chain, error callback and retry.
"""

import time
from collections.abc import Callable, Container
from datetime import UTC, datetime
from typing import Any, Final

from billiard.einfo import ExceptionInfo
from billiard.exceptions import WorkerLostError
from celery import Celery
from celery.app.trace import build_tracer
from celery.exceptions import NotRegistered
from celery.utils.objects import Bunch
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from kombu.exceptions import OperationalError
from kombu.message import Message

from tests.explorer.apps import QUEUES
from tests.explorer.processes import Killed, Process, current

NOW: Final = datetime.now(UTC)
"""What time it is to Celery whenever a message is published: a run on a slow machine goes the same way."""
HOSTNAME: Final = "explored"


class Broker:
    """The broker, in this process but outside of all that are struck."""

    def __init__(self, app: Celery) -> None:
        self._connection = app.connection_for_read()
        self._channel: Any = self._connection.default_channel
        for queue in QUEUES:
            app.amqp.queues[queue](self._channel).declare()

    def empty(self) -> None:
        """Forget all messages, those in the hands of workers too."""
        for queue in QUEUES:
            self._channel.queue_purge(queue)
        for tag in self.unanswered():
            self._channel.basic_ack(tag)

    def take(self) -> Message | None:
        """Take the next message; it is unanswered until it is acknowledged or given back."""
        for queue in QUEUES:
            message: Message | None = self._channel.basic_get(queue)
            if message:
                return message
        return None

    def unanswered(self) -> list[str]:
        """Name the messages that were taken, and neither acknowledged nor given back."""
        qos = self._channel.qos
        return [tag for tag in qos._delivered if tag not in qos._dirty]

    def ids_in_hand(self, *, but: Container[str]) -> list[str]:
        """Name the same by their tasks' ids, without those of these tags."""
        delivered = self._channel.qos._delivered
        return [delivered[tag].headers["id"] for tag in self.unanswered() if tag not in but]

    def give_back(self, tag: str) -> None:
        """Deliver an unanswered message again, as a broker does when its worker is gone."""
        self._channel.basic_reject(tag, requeue=True)

    def close(self) -> None:
        """Forget all messages, and close."""
        self.empty()
        self._connection.release()


def wait_of(message: Message) -> float:
    """Tell how many seconds a worker that got this message lets it wait: as many as it was published with."""
    eta = message.headers.get("eta")
    return 0.0 if eta is None else (datetime.fromisoformat(eta) - NOW).total_seconds()


class Pool:
    """The pool of workers whose children may die; `pids` are those of the children that live."""

    def __init__(self, *, notices_death: bool) -> None:
        self._notices_death = notices_death
        self.pids: set[int] = set()

    def apply_async(
        self,
        target: Callable[..., Any],
        args: Any,
        *,
        accept_callback: Callable[..., Any],
        callback: Callable[..., Any],
        error_callback: Callable[..., Any],
        **_: Any,
    ) -> None:
        """Run a task in a child. A child's death is the whole worker's where nobody notices it."""
        child = Process("child")
        accept_callback(child.pid, time.monotonic())
        self.pids.add(child.pid)
        try:
            with child.running():
                answer = target(*args)
        except Killed as killed:
            self.pids.discard(child.pid)
            if not self._notices_death:
                raise
            lost = WorkerLostError("killed")
            error_callback(ExceptionInfo((WorkerLostError, lost, killed.__traceback__)))
            return
        callback(answer)


def build_tracers(app: Celery) -> None:
    """Do with the tasks of an app what a worker does when it starts; elsewhere Celery does it with each task's first message."""
    for name, task in app.tasks.items():
        task.__trace__ = build_tracer(name, task, app.loader, HOSTNAME, app=app)


def do_not_know(app: Celery, message: Message) -> None:
    """Do with a message what a worker does that does not know its task."""
    consumer = Bunch(app=app, connection_errors=(OperationalError,), event_dispatcher=None)
    name = message.headers["task"]
    Consumer.on_unknown_task(consumer, message.payload, message, NotRegistered(name))


def work_on(app: Celery, message: Message, pool: Pool) -> None:
    """Do with a message what a worker's main process does. It is the current process."""
    assert current() is not None
    request = Request(
        message,
        on_ack=message.ack_log_error,
        on_reject=message.reject_log_error,
        app=app,
        task=app.tasks[message.headers["task"]],
        hostname=HOSTNAME,
        connection_errors=(OperationalError,),
        body=message.body,
        headers=message.headers,
        decoded=False,
        utc=True,
    )
    request.execute_using_pool(pool)
