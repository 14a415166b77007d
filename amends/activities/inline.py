"""Going on with a saga's next step under the message of the one before, without a trip through the broker."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from celery import Task
from celery.utils.log import get_task_logger

from amends.activities.attempt import Attempt, Definition, Ended
from amends.activities.guard import Caller
from amends.definition.itinerary import Itinerary
from amends.dispatch.fast_path import deliveries
from amends.dispatch.routing import queue_of
from amends.log.answers import Claim, Claimed, Publish, RetryAfter, Run
from amends.log.delivery import Delivery
from amends.log.owner import WorkerProcess
from amends.log.saga_log import SagaLog
from amends.telemetry.flower_steps import StepRow

_logger = get_task_logger(__name__)

INLINE_FOR: Final = 30.0
"""Seconds that a message goes on with further steps; it ends with the step at hand."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link of a message's chain: the record that it is for, and how Celery keeps it."""

    path: str
    task_id: str
    retries: int
    message: dict[str, Any]


def next_link(rest: Sequence[dict[str, Any]] | None) -> Link | None:
    """Return the next link of what is left of a chain, which Celery keeps reversed."""
    if not rest:
        return None
    options = rest[-1]["options"]
    return Link(
        path=rest[-1]["kwargs"].get("step", ""),
        task_id=options["task_id"],
        retries=options.get("retries", 0),
        message=rest[-1],
    )


class Steps:
    """The steps of a saga that one message runs: its own, and those after it that may run here.

    `link` is the one that ran last, None for the message's own.
    """

    def __init__(self, task: Task[Any, Any], log: SagaLog, saga_id: str, owner: str) -> None:
        self._task: Any = task
        self._request: Any = task.request  # which Celery looks up each time
        self._log = log
        self.saga_id = saga_id
        self._owner = owner
        self._until = time.monotonic() + INLINE_FOR
        self._next: Link | None = None
        self._next_token = ""
        self.link: Link | None = None

    def carry_out(self, run: Run, path: str, *, token: str) -> Ended:
        """Carry out the message's own step, and what follows; answers how the last one ended.

        Raises `LogUnavailable` if that is in vain.
        """
        self._itinerary = run.itinerary
        caller = self._request.id or token, self._request.retries or 0
        ended = self._attempt(self._task.activity, run, path, token, caller)
        while isinstance(ended.follows, Claimed):
            ended = self._go_on(ended.follows.run)
        return ended

    def rest(self) -> Publish | None:
        """Return what is left of the message's chain, as if it were to be published anew; None if nothing is."""
        links: Any = (self._request.chain or ())[::-1]
        if not links:
            return None
        number = links[0]["options"]["task_id"].removeprefix(f"{self.saga_id}.").partition(".")[0]
        return Publish(
            itinerary=self._itinerary,
            number=int(number),
            wait=0.0,
            records=[(link["kwargs"]["step"], link["options"].get("retries", 0)) for link in links],
        )

    def _go_on(self, run: Run) -> Ended:
        """Carry out the chain's next link, whose claim this is."""
        self.link = link = self._next
        assert link is not None  # noqa: S101 - it was claimed
        self._request.chain.pop()
        call = run.itinerary.records[link.path].call
        activity = self._task.app.tasks[call.task].activity
        row = StepRow(self._task.app, link.task_id, call.task, link.message["kwargs"])
        caller = link.task_id, link.retries
        ended = self._attempt(activity, run, link.path, self._next_token, caller)
        row.end(ended.error, retried=isinstance(ended.follows, RetryAfter), fails=ended.fails)
        return ended

    def _attempt(
        self, activity: Definition, run: Run, path: str, token: str, caller: Caller
    ) -> Ended:
        self._next = link = next_link(self._request.chain)
        attempt = Attempt(
            activity,
            self._log,
            run,
            saga_id=self.saga_id,
            path=path,
            token=token,
            link=link.path if link else "",
            caller=caller,
        )
        output = attempt.carry_out()
        if isinstance(output, Ended):
            return output
        # Only now: the function may have used up the time of this message, or outlived its worker.
        if link and self._may_go_on(run.itinerary, link):
            return attempt.complete_and_claim(output, self._claim(link))
        return attempt.complete(output, self._message())

    def _message(self) -> Delivery | None:
        rest = self.rest()
        try:
            found = deliveries(self._task.app, [self.saga_id], rest) if rest else None
        except Exception:
            _logger.exception(
                "saga %s: the next message is published once this step is done", self.saga_id
            )
            return None
        return found[0] if found else None

    def _claim(self, link: Link) -> Claim:
        self._next_token = secrets.token_hex(8)
        return Claim(token=self._next_token, owner=self._owner, retries=link.retries)

    def _may_go_on(self, itinerary: Itinerary, link: Link) -> bool:
        """Tell whether this worker would run that link too, and has the time for it now.

        A rate limit is kept where messages arrive, and so what has one needs a message.
        """
        if (
            itinerary.dispatch == "chain"
            or WorkerProcess.current.is_ending.value
            or time.monotonic() >= self._until
        ):
            return False
        app, record = self._task.app, itinerary.records[link.path]
        task = app.tasks.get(record.call.task)
        if task is None or task.rate_limit:
            return False
        return queue_of(app, record, self.saga_id) in app.amqp.queues.consume_from
