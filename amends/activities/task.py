"""The Celery task that each activity is: from a message to an attempt, and back."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celery import Task
from celery.exceptions import Reject, Retry
from celery.result import AsyncResult
from celery.utils.log import get_task_logger
from kombu.exceptions import OperationalError

from amends.activities.annotations import compensated_output
from amends.activities.attempt import Attempt, Call, Definition, Ended, call_directly
from amends.activities.context import Context, entered
from amends.activities.guard import permit_token, wait_for_circuit
from amends.activities.inline import Link, Steps
from amends.activities.log_retry import retry_until_written
from amends.activities.outcome import as_timeout, wait_after
from amends.backend.settings import settings_of
from amends.definition.serialization import output_json, validated
from amends.dispatch import fast_path
from amends.dispatch.messages import (
    DEFERRALS_HEADER,
    TOKEN_HEADER,
    is_in_saga,
    publishing,
    send_advance,
    stop_chain,
)
from amends.dispatch.publisher import publish_chains
from amends.errors import CircuitOpenError, LogUnavailable, Refused
from amends.log.claim import Done, Run, Stop
from amends.log.continuation import Advance, GoOn, RetryAfter
from amends.log.owner import Owner
from amends.log.saga_log import SagaLog, log_of
from amends.telemetry.flower import in_one_message

CLAIM_PATIENCE: Final = 5.0
"""Seconds that a claim keeps its pool slot while the log is away."""

PUT_OFF: Final = (5.0, 15.0)
"""Seconds, at least and at most, that its message is put off then."""

_logger = get_task_logger(__name__)

if TYPE_CHECKING:
    CeleryTask = Task[Any, Any]
else:
    CeleryTask = Task


class ActivityTask(CeleryTask):
    """An activity's task. In a saga its message brings ``saga_id`` and ``step``, else the input."""

    abstract = True
    typing = False
    acks_late = True
    reject_on_worker_lost = True
    acks_on_failure_or_timeout = True
    ignore_result = True
    max_retries = None
    activity: ClassVar[Definition]
    Request = "amends.activities.request:ActivityRequest"

    def apply_async(  # type: ignore[override]  # Celery's options pass through
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> AsyncResult[Any]:
        """Publish; in a saga, as its child (a chain would make it a child of the step before)."""
        options = {**self.own_options, **options}
        if is_in_saga(args, kwargs):
            options["root_id"] = options["parent_id"] = kwargs["saga_id"]
        return super().apply_async(args, kwargs, **options)

    @property
    def own_options(self) -> dict[str, Any]:
        """Celery's options that its activity gives."""
        own = {"queue": self.activity.queue, "priority": self.activity.priority}
        return {name: value for name, value in own.items() if value is not None}

    def perform(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do what a message asks for."""
        if not is_in_saga(args, kwargs):
            return self._perform_alone(args)
        with in_one_message(self.app):
            self._perform_in_saga(kwargs["saga_id"], kwargs["step"])
        return None

    def _perform_in_saga(self, saga_id: str, path: str) -> None:
        log, token = log_of(self.app), secrets.token_hex(8)
        claim = self._claim(log, saga_id, path, token)
        if isinstance(claim, Run):
            steps = Steps(self, log, saga_id)
            ended = steps.carry_out(claim, path, token=token, permit_token=self._permit_token)
            self._follow(ended, steps)
        elif isinstance(claim, Stop):
            _logger.info("saga %s: %s stops here: %s", saga_id, path, claim.reason)
            stop_chain(self)

    def perform_here(
        self, saga_id: str, path: str, *, retries: int, call: Call = call_directly
    ) -> None:
        """Do one record of a saga in this process, without a message."""
        log, token = log_of(self.app), secrets.token_hex(8)
        claim = log.claim_step(saga_id, path, token=token, owner="", retries=retries)
        if isinstance(claim, Run):
            attempt = Attempt(
                self.activity, log, claim, saga_id=saga_id, path=path, token=token, call=call
            )
            output = attempt.carry_out()
            if isinstance(output, str):
                attempt.complete(output)

    def _claim(self, log: SagaLog, saga_id: str, path: str, token: str) -> Run | Done | Stop:
        """Claim a record; with the log away the message is put off, or kept where the broker is away too."""

        def claim() -> Run | Done | Stop:
            return log.claim_step(
                saga_id,
                path,
                token=token,
                owner=Owner.here(self.request.id or "").format(),
                retries=self.request.retries or 0,
                brought=self._brought(),
            )

        while True:
            try:
                return retry_until_written(claim, until=time.monotonic() + CLAIM_PATIENCE)
            except LogUnavailable as error:
                self._put_off(token, error)

    def _brought(self) -> str:
        """Return the tokens of earlier claims of this message whose answers never came."""
        tokens: str = (self.request.headers or {}).get(TOKEN_HEADER, "")
        return tokens

    def _put_off(self, token: str, error: LogUnavailable) -> None:
        """Publish the message again, some seconds on: the same id and retries, and this claim's token.

        The claim may have landed although its answer did not come; the token lets the next one take
        its place. (`Task.retry` would count it, and ``Reject(requeue=True)`` would spin.) Returns only
        where the broker is away too.
        """
        countdown = random.uniform(*PUT_OFF)  # noqa: S311 - jitter
        tokens = ",".join(each for each in (self._brought(), token) if each)
        headers = {**(self.request.headers or {}), TOKEN_HEADER: tokens}
        message = self.signature_from_request(self.request, countdown=countdown, headers=headers)
        try:
            with publishing():
                message.apply_async()
        except OperationalError as away:
            _logger.warning("%s is kept: %s, and %s", self.request.id, error, away)
            return
        _logger.warning("%s waits %.0f s: %s", self.request.id, countdown, error)
        raise Retry("the saga log is away", exc=error, sig=message)

    def _follow(self, ended: Ended, steps: Steps) -> None:
        """Do what the log says follows. A step that failed for good fails as a task too.

        But not one that ran inline: the task is that of the message's own step, and done.
        """
        if ended.fails and ended.error and steps.link is None:
            raise ended.error
        match ended.follows:
            case GoOn():
                self._publish_rest(steps)
            case RetryAfter(tries=tries):
                self._publish_retry(ended, tries, steps.link)
            case Advance(number=number):
                stop_chain(self)
                send_advance(self.app, steps.saga_id, number)
            case _:
                stop_chain(self)

    def _publish_rest(self, steps: Steps) -> None:
        """Publish the chain's next link, as Celery would when the task is done, for less.

        And where the broker is away, Celery would take the finished task for a failed one.
        """
        rest = steps.rest()
        if rest is None or not fast_path.takes(self.app, rest):
            return
        stop_chain(self)
        try:
            publish_chains(self.app, [steps.saga_id], rest)
        except OperationalError as error:
            _logger.warning("saga %s goes on when it is due: %s", steps.saga_id, error)

    def _publish_retry(self, ended: Ended, tries: int, link: Link | None) -> None:
        if ended.wait <= settings_of(self.app).max_countdown:
            if link is not None:
                self._publish_link(link, tries=tries, wait=ended.wait)
                return
            self.request.retries = tries - 1
            try:
                raise self.retry(exc=ended.error, countdown=ended.wait)
            except Reject:
                # Celery's answer to an unreachable broker. Raised, it would run the error callback.
                _logger.warning("%s is tried again when it is due", self.request.id)
        stop_chain(self)  # its due entry publishes it

    def _publish_link(self, link: Link, *, tries: int, wait: float) -> None:
        """Give a step that ran inline, and the rest of the chain, a message of their own."""
        message = self.app.signature(link.message)
        try:
            with publishing():
                message.apply_async(chain=self.request.chain, retries=tries, countdown=wait)
        except OperationalError as error:
            _logger.warning("%s is tried again when it is due: %s", link.task_id, error)
        stop_chain(self)

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
        if len(args) != len(activity.parameters):
            raise TypeError(
                f"{activity.name} takes {len(activity.parameters)} positional, each a model as JSON, and got {len(args)}"
            )
        arguments: list[Any] = [validated(activity.parameters[0], args[0])]
        arguments += [compensated_output(activity.parameters, value) for value in args[1:]]
        try:
            with self._permitted_alone(), entered(current):
                return output_json(activity.output, activity.function(*arguments))
        except (CircuitOpenError, Retry):
            raise
        except Exception as error:
            if isinstance(error, Refused) or not activity.retry.allows(error, attempt):
                raise
            wait = wait_after(activity.retry, error, attempt)
            raise self.retry(exc=error, countdown=wait) from error

    @contextmanager
    def _permitted_alone(self) -> Iterator[None]:
        """Go through the activity's breaker; what is deferred is published again."""
        guard = self.activity.guard
        if guard is None:
            yield
            return
        try:
            # Until its hard limit: a call that still runs must not lose its slot to another probe.
            longest = self.time_limit or self.activity.start_to_close_timeout
            permit = guard.acquire(self._permit_token, longest=longest)
        except CircuitOpenError as error:
            if guard.on_open == "defer":
                self._defer(error)
            raise
        try:
            yield
        except Exception as error:
            permit.record(as_timeout(error, self.activity.start_to_close_timeout))
            raise
        permit.success()

    def _defer(self, error: CircuitOpenError) -> None:
        """Publish the message again for when the circuit may let it through; it spends no attempt.

        A wait that is too long for a message is taken in parts: the next part is a deferral like any other.
        """
        deferrals = int((self.request.headers or {}).get(DEFERRALS_HEADER, 0))
        headers = {**(self.request.headers or {}), DEFERRALS_HEADER: deferrals + 1}
        wait = min(wait_for_circuit(error, deferrals), settings_of(self.app).max_countdown)
        message = self.signature_from_request(self.request, countdown=wait, headers=headers)
        message.apply_async()
        raise Retry(f"circuit {error.name} is open", exc=error, sig=message)

    @property
    def _permit_token(self) -> str:
        return permit_token(self.request.id or secrets.token_hex(8), self.request.retries or 0)
