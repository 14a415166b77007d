"""The step at hand of a message: its attempt, and how that ends for Celery."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import os
from typing import Any, NoReturn

from celery.exceptions import Retry

from amends.activities.abandonment import abandon
from amends.activities.attempt import Attempt
from amends.activities.inline import Link
from amends.activities.message import message_of
from amends.activities.protocol import Ended
from amends.activities.request import Answered
from amends.activities.succession import Succession, next_link
from amends.backend.settings import settings_of
from amends.dispatch.messages import bounded, publish_again, publishing_if_possible, stop_chain
from amends.log.answers import Claimed, GoOn, Next, RetryAfter, Run, Stage
from amends.log.liveness import APART_AFTER
from amends.log.owner import WorkerProcess, owner_prefix
from amends.log.saga_log import log_of


class StepAtHand:
    """The step that runs, in its own task."""

    def __init__(self, task: Any, saga_id: str) -> None:
        self._task = task  # an `ActivityTask`
        self._request = task.request  # which Celery looks up each time
        self._saga_id = saga_id
        self.message = message = message_of(self._request.id)
        self.log = message.log = message.log or log_of(task.app)
        self.owner = owner_prefix(WorkerProcess.current.name, os.getpid()) + message.task_id
        message.give_errbacks(self._request)

    def carry_out(self, run: Run, path: str, *, token: str) -> None:
        """Make an attempt under a claim, and do what the log says follows.

        Raises the error of a step that failed for good, Celery's ``Retry`` for one that is tried again, and
        `LogUnavailable` if the log stays away.
        """
        self._itinerary = run.itinerary
        self._succession = Succession(
            self._task, self.log, self._saga_id, self.message, run.itinerary, owner=self.owner
        )
        ended = self._attempt(run, path, token)
        if ended.fails and ended.error:
            self._fail(ended, ended.error, path)
        match ended.follows:
            case GoOn():
                self._succession.publish_rest()
            case RetryAfter(tries=tries):
                self._retry(ended, tries)
            case follows:
                stop_chain(self._request)
                self._succession.follow(follows, may_go_on=True)

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
        if link and self._succession.may_go_on(link.path):
            return self._complete_and_claim(attempt, output, link)
        return attempt.complete(output, self._succession.delivery())

    def _complete_and_claim(self, attempt: Attempt, output: str, link: Link) -> Ended:
        claim = self._succession.claim_of(link)
        ended = attempt.complete_and_claim(output, claim)
        if isinstance(ended.follows, Claimed):
            self._succession.go_on(link, claim, ended.follows.run, self._request.chain[:-1])
        return ended

    def _fail(self, ended: Ended, error: Exception, path: str) -> NoReturn:
        """Let the task fail as its step did. A refusal is an answer: no error of a task, for signals and hooks."""
        # The error callback would look at all branches for what follows in one.
        is_told = isinstance(ended.follows, Next | Stage) or self._itinerary.branch_of(path)
        if is_told:
            self.message.withhold_errbacks(self._request)
        if is_told or self.message.inline or ended.refused:  # Celery calls no error callback then
            if isinstance(ended.follows, GoOn):
                self._succession.publish_rest()
            else:
                self._succession.follow(ended.follows)
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
