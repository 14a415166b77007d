"""The step at hand of a message: its attempt, how that ends for Celery, and what follows it."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import os
import secrets
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any, NoReturn

from celery.exceptions import Retry
from celery.utils.log import get_task_logger

from amends.activities.abandonment import abandon
from amends.activities.attempt import Attempt
from amends.activities.inline import InlineStep, Link, may_run_inline
from amends.activities.message import (
    delivery_of,
    link_of,
    message_of,
    next_link,
    remaining_chain,
)
from amends.activities.protocol import Ended
from amends.activities.request import Answered
from amends.backend.settings import settings_of
from amends.definition.paths import UNDO, VERIFY
from amends.dispatch import fast_path
from amends.dispatch.canvas import publish_link, reversed_links
from amends.dispatch.coordinator import publish, publish_found
from amends.dispatch.messages import (
    bounded,
    publish_again,
    publishing_if_possible,
    send_advance,
    stop_chain,
)
from amends.dispatch.remaining import dispatched
from amends.errors import LogUnavailable
from amends.log.answers import (
    Advance,
    Claim,
    Claimed,
    Continuation,
    GoOn,
    Next,
    Publish,
    RetryAfter,
    Run,
    Stage,
)
from amends.log.in_flight import Branches, Dispatched
from amends.log.liveness import APART_AFTER
from amends.log.owner import WorkerProcess, owner_prefix, process_members
from amends.log.saga_log import log_of
from amends.traces.sagas import bringing

_logger = get_task_logger(__name__)


class StepAtHand:
    """The step that runs, in its own task."""

    def __init__(self, task: Any, saga_id: str) -> None:
        self._task = task  # an `ActivityTask`
        self._request = task.request  # which Celery looks up each time
        self._saga_id = saga_id
        self.message = message = message_of(self._request.id)
        self.log = message.log = message.log or log_of(task.app)
        self.owner = owner_prefix(WorkerProcess.current.name, os.getpid()) + message.task_id
        self.process = process_members(WorkerProcess.current.node, os.getpid())
        message.give_errbacks(self._request)

    def carry_out(self, run: Run, path: str, *, token: str) -> None:
        """Make an attempt under a claim, and do what the log says follows.

        Raises the error of a step that failed for good, Celery's ``Retry`` for one that is tried again, and
        `LogUnavailable` if the log stays away.
        """
        self._itinerary = run.itinerary
        app, saga_id = self._task.app, self._saga_id
        with bringing(app, saga_id, run.trace) if run.trace else nullcontext():
            self._end_as_told(self._attempt(run, path, token), path)

    def _end_as_told(self, ended: Ended, path: str) -> None:
        if ended.fails and ended.error:
            self._fail(ended, ended.error, path)
        match ended.follows:
            case GoOn():
                self._publish_rest()
            case RetryAfter(tries=tries):
                self._retry(ended, tries)
            case follows:
                stop_chain(self._request)
                self._follow(follows, may_go_on=True)

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
        if link and self._may_go_on(link.path):
            return self._complete_and_claim(attempt, output, link)
        return attempt.complete(output, delivery_of(self._task.app, self._saga_id, self._rest()))

    def _complete_and_claim(self, attempt: Attempt, output: str, link: Link) -> Ended:
        claim = self._claim_of(link)
        ended = attempt.complete_and_claim(output, claim)
        if isinstance(ended.follows, Claimed):
            self._go_on(link, claim, ended.follows.run, self._request.chain[:-1])
        return ended

    def _fail(self, ended: Ended, error: Exception, path: str) -> NoReturn:
        """Let the task fail as its step did. A refusal is an answer: no error of a task, for signals and hooks."""
        # The error callback would look at all branches for what follows in one, and knows nothing of what follows a compensation.
        is_plain = not path.endswith((UNDO, VERIFY)) and not self._itinerary.branch_of(path)
        if is_told := isinstance(ended.follows, Next | Stage) or not is_plain:
            self.message.withhold_errbacks(self._request)
        if is_told or self.message.inline or ended.refused:  # Celery calls no error callback then
            if isinstance(ended.follows, GoOn):
                self._publish_rest()
            else:
                self._follow(ended.follows)
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
                    how |= {"chain": self._request.chain, "retries": tries}
                    link = self.message.inline.link.message
                    publish_link(self._task.app, self._saga_id, link, **how)
        raise retry

    def _follow(self, follows: Continuation, *, may_go_on: bool = False) -> None:
        """Publish what the log says follows, unless that is the chain's next link.

        may_go_on: whether a chain of it may run under this message.
        """
        app, saga_id = self._task.app, self._saga_id
        match follows:
            case Advance(number=number):
                send_advance(app, saga_id, number)
            case Stage():
                with publishing_if_possible(saga_id):
                    found = dispatched(app, saga_id, settings_of(app).max_countdown)
                    publish_found(app, saga_id, self._without_own(found) if may_go_on else found)
            case Next():
                chain = follows.of(self._itinerary)
                with publishing_if_possible(saga_id):
                    if left := self._gone_on_with(chain) if may_go_on else chain:
                        publish(app, saga_id, left)

    def _without_own(self, found: Dispatched) -> Dispatched:
        """Go on with one of the branches that a dispatch found, if one may run here. Returns the others."""
        if not isinstance(found, Branches):
            return found
        for each in found.found:
            if isinstance(each, Publish) and self._may_go_on(each.records[0][0]):
                left = self._gone_on_with(each)
                others = [other for other in found.found if other is not each]
                return replace(found, found=[left, *others] if left else others)
        return found

    def _gone_on_with(self, chain: Publish) -> Publish | None:
        """Claim the first record of a chain, to go on with it under this message. Returns the chain if it is to be published, else None."""
        if chain.wait or chain.copied_at or not self._may_go_on(chain.records[0][0]):
            return chain
        *rest, first = reversed_links(self._task.app, self._saga_id, chain)
        claim = self._claim_of(link := link_of(first))
        try:
            run = self.log.claim_step(self._saga_id, link.path, **asdict(claim))
        except LogUnavailable:
            return replace(chain, brought=claim.token)  # it may have landed all the same
        if not isinstance(run, Run):
            return chain
        self._go_on(link, claim, run, rest)
        return None

    def _may_go_on(self, path: str) -> bool:
        """Return whether a record may run under this message, and there is time for it."""
        return (
            self._itinerary.dispatch == "inline"
            and time.monotonic() < self.message.until
            and may_run_inline(self._task.app, self._itinerary.records[path], self._saga_id)
        )

    def _claim_of(self, link: Link) -> Claim:
        """Return a claim of a link, to go on with it under this message."""
        who = {"owner": self.owner, "process": self.process}
        return Claim(token=secrets.token_hex(8), retries=link.retries, **who)

    def _go_on(self, link: Link, claim: Claim, run: Run, rest: list[dict[str, Any]]) -> None:
        """Let a link that was claimed run next under this message. `rest` is the chain after it, reversed."""
        headers = self._request.headers
        step = InlineStep(link=link, run=run, token=claim.token, rest=rest, headers=headers)
        self.message.go_on_with(step)

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
                    publish_link(self._task.app, self._saga_id, link, chain=remaining, **how)

    def _rest(self) -> Publish | None:
        return remaining_chain(self._request.chain, self._saga_id, self._itinerary)


def _carry_out_in_turn(attempt: Attempt, run: Run) -> str | Ended:
    """Carry an attempt out. One of a record whose workers died runs apart from others like it: who dies then is guilty."""
    if run.worker_deaths < APART_AFTER:
        return attempt.carry_out()
    with WorkerProcess.current.turn.taken() as is_mine:
        return attempt.carry_out() if is_mine else attempt.wait_for_turn()
