"""A message of a saga in its worker: the step at hand, and what follows it."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import os
import secrets
import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from celery.exceptions import Retry
from celery.utils.log import get_task_logger

from amends.activities.abandonment import abandon
from amends.activities.attempt import Attempt
from amends.activities.inline import InlineStep, Link, may_run_inline
from amends.activities.protocol import Ended
from amends.activities.request import Answered
from amends.backend.settings import settings_of
from amends.dispatch import fast_path
from amends.dispatch.messages import (
    bounded,
    publish_again,
    publishing_if_possible,
    send_advance,
    stop_chain,
)
from amends.log.answers import Advance, Claim, Claimed, GoOn, Publish, RetryAfter, Run
from amends.log.delivery import Delivery
from amends.log.liveness import APART_AFTER
from amends.log.owner import WorkerProcess, owner_prefix
from amends.log.saga_log import SagaLog, log_of

_logger = get_task_logger(__name__)

INLINE_FOR: Final = 30.0
"""Seconds that a message goes on with further steps; it ends with the step at hand."""


@dataclass(kw_only=True)
class Message:
    """A message of a saga in its worker. Steps run under it one after the other, first its own."""

    task_id: str  #: Of its own step; a worker's heartbeat names it.
    #: Its error callback, which Celery is given once the activity's own task runs: what fails before that, as in a hook of
    #: the app's, would be published anew at once, and without end. Its due entry takes longer each time.
    errbacks: Any = None
    until: float = field(default_factory=lambda: time.monotonic() + INLINE_FOR)
    """No step begins under it after that, as of ``time.monotonic()``."""
    inline: InlineStep | None = None  #: The step at hand, if it is another than the message's own.
    next: InlineStep | None = None  #: The step that is claimed to follow.
    log: SagaLog | None = None  #: Of its saga, from the first step on.

    @property
    def at_hand(self) -> str:
        """The task id of the step at hand."""
        return self.inline.link.task_id if self.inline else self.task_id

    def begin_next(self) -> InlineStep | None:
        """Make the step that was claimed to follow the one at hand; None if there is none."""
        if self.next is None:
            return None
        self.inline, self.next = self.next, None
        return self.inline


CURRENT: Final[ContextVar[Message | None]] = ContextVar("amends_message", default=None)


def message_of(task_id: str | None) -> Message:
    """Return the message that the step of this task id runs under.

    No step follows under it where Celery's tracer was not this library's to wrap, as with ``apply``.
    """
    message = CURRENT.get()
    if message is None or message.at_hand != task_id:
        return Message(task_id=task_id or "", until=0.0)
    return message


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


class StepAtHand:
    """The step that runs, in its own task."""

    def __init__(self, task: Any, saga_id: str) -> None:
        self._task = task  # an `ActivityTask`
        self._request = task.request  # which Celery looks up each time
        self._saga_id = saga_id
        self.message = message = message_of(self._request.id)
        self.log = message.log = message.log or log_of(task.app)
        self.owner = owner_prefix(WorkerProcess.current.name, os.getpid()) + message.task_id
        if message.errbacks and not message.inline:
            self._request.errbacks = message.errbacks

    def carry_out(self, run: Run, path: str, *, token: str) -> None:
        """Make an attempt under a claim, and do what the log says follows.

        Raises the error of a step that failed for good, Celery's ``Retry`` for one that is tried again, and
        `LogUnavailable` if the log stays away.
        """
        self._itinerary = run.itinerary
        ended = self._attempt(run, path, token)
        if ended.fails and ended.error:
            self._fail(ended, ended.error)
        match ended.follows:
            case GoOn():
                self._publish_rest()
            case RetryAfter(tries=tries):
                self._retry(ended, tries)
            case Advance(number=number):
                stop_chain(self._request)
                send_advance(self._task.app, self._saga_id, number)
            case _:
                stop_chain(self._request)

    def _attempt(self, run: Run, path: str, token: str) -> Ended:
        link = next_link(self._request.chain)
        attempt = Attempt(
            self._task.activity,
            self.log,
            run,
            saga_id=self._saga_id,
            path=path,
            token=token,
            link=link.path if link else "",
            caller=(self._request.id or token, self._request.retries or 0),
        )
        try:
            return self._end(attempt, run, link)
        except BaseException as error:
            abandon(self._task.app, attempt, error)
            raise

    def _end(self, attempt: Attempt, run: Run, link: Link | None) -> Ended:
        output = _carry_out_in_turn(attempt, run)
        if isinstance(output, Ended):
            return output
        # Only now: the function may have used up the time of this message, or outlived its worker.
        if link and self._may_go_on(link):
            return self._complete_and_claim(attempt, output, link)
        return attempt.complete(output, self._delivery())

    def _may_go_on(self, link: Link) -> bool:
        return (
            self._itinerary.dispatch == "inline"
            and time.monotonic() < self.message.until
            and may_run_inline(self._task.app, self._itinerary.records[link.path], self._saga_id)
        )

    def _complete_and_claim(self, attempt: Attempt, output: str, link: Link) -> Ended:
        token = secrets.token_hex(8)
        claim = Claim(token=token, owner=self.owner, retries=link.retries)
        ended = attempt.complete_and_claim(output, claim)
        if isinstance(ended.follows, Claimed):
            self.message.next = InlineStep(
                link=link,
                run=ended.follows.run,
                token=token,
                rest=self._request.chain[:-1],
                headers=self._request.headers,
            )
        return ended

    def _delivery(self) -> Delivery | None:
        rest = self._rest()
        try:
            found = fast_path.deliveries(self._task.app, [self._saga_id], rest) if rest else None
        except Exception:
            _logger.exception(
                "saga %s: the next message is published once this step is done", self._saga_id
            )
            return None
        return found[0] if found else None

    def _rest(self) -> Publish | None:
        """Return what is left of the message's chain, as if it were to be published anew; None if nothing is."""
        links: Any = (self._request.chain or ())[::-1]
        if not links:
            return None
        prefix = f"{self._saga_id}."
        number = links[0]["options"]["task_id"].removeprefix(prefix).partition(".")[0]
        return Publish(
            itinerary=self._itinerary,
            number=int(number),
            wait=0.0,
            records=[(link["kwargs"]["step"], link["options"].get("retries", 0)) for link in links],
        )

    def _publish_rest(self) -> None:
        """Publish the chain's next link, as Celery would when the task is done, and for less where the fast path takes it.

        Where that raises, Celery would take the finished task for a failed one.
        """
        rest = self._rest()
        if rest is None:
            return
        link, remaining = self._request.chain[-1], self._request.chain[:-1]
        stop_chain(self._request)
        with publishing_if_possible(self._saga_id):
            if not fast_path.publish(self._task.app, [self._saga_id], rest):
                with bounded(self._task.app) as how:
                    self._task.app.signature(link).apply_async(chain=remaining, **how)

    def _fail(self, ended: Ended, error: Exception) -> NoReturn:
        """Let the task fail as its step did. A refusal is an answer: no error of a task, for signals and hooks."""
        if self.message.inline or ended.refused:  # Celery calls no error callback then
            match ended.follows:
                case GoOn():
                    self._publish_rest()
                case Advance(number=number):
                    send_advance(self._task.app, self._saga_id, number)
        if ended.refused:
            raise Answered(repr(error))
        raise error

    def _retry(self, ended: Ended, tries: int) -> NoReturn:
        """Publish the next attempt's message; its due entry does where that fails, and where the wait is long."""
        seconds: Any = ended.wait  # a number, which typeshed's `Real` does not take
        retry: Exception = Retry(exc=ended.error, when=seconds)
        if ended.wait <= settings_of(self._task.app).max_countdown:
            possibly = publishing_if_possible(self._saga_id)
            with possibly, bounded(self._task.app, wait=ended.wait) as how:
                if self.message.inline is None:
                    retry = publish_again(self._task, ended.error, tries=tries, how=how)
                else:  # it, and the rest of the chain, get a message of their own
                    message = self._task.app.signature(self.message.inline.link.message)
                    message.apply_async(chain=self._request.chain, retries=tries, **how)
        raise retry


def _carry_out_in_turn(attempt: Attempt, run: Run) -> str | Ended:
    """Carry an attempt out. One of a record whose workers died runs apart from others like it: who dies then is guilty."""
    if run.worker_deaths < APART_AFTER:
        return attempt.carry_out()
    with WorkerProcess.current.turn.taken() as is_mine:
        return attempt.carry_out() if is_mine else attempt.wait_for_turn()
