"""One attempt at an activity: claim its record, call the function, record what came of it."""

import os
import random
import secrets
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn, Protocol, TypeVar, get_args

from celery import Task
from celery.exceptions import Reject, Retry, SoftTimeLimitExceeded
from celery.utils.log import get_task_logger
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from amends.answers import Done, Next, Run, Stop
from amends.config import settings_of
from amends.errors import LogUnavailable, NotDone, Refused
from amends.invocation import Context, Undoes, entered
from amends.itinerary import GIVEN_UP_AFTER, RecordPlan, fill
from amends.log import SagaLog, log_of
from amends.messages import TOKEN_HEADER, next_path, send_advance, stop_chain
from amends.payload import error_json, output_json, validated
from amends.policy import RetryPolicy

T = TypeVar("T")

CLAIM_PATIENCE: Final = 5.0
"""Seconds that a claim keeps its pool slot while the log is away."""

_BOOT: Final = secrets.token_hex(6)  # prefork children inherit their worker's
_logger = get_task_logger(__name__)


class Definition(Protocol):
    """What an attempt needs of its activity."""

    name: str
    function: Callable[..., Any]
    parameters: list[type[BaseModel]]
    output: type[BaseModel] | None
    retry: RetryPolicy
    start_to_close_timeout: float
    queue: str | None


def perform(task: Task[Any, Any], activity: Definition, saga_id: str, path: str) -> None:
    """Run one record of a saga, if this message is the one to do it."""
    log = log_of(task.app)
    token = secrets.token_hex(8)
    try:
        claim = _claim(log, task, saga_id, path, token)
    except LogUnavailable as error:
        _put_off(task, token, error)
    if isinstance(claim, Run):
        Attempt(
            task, activity, log, saga_id=saga_id, path=path, token=token, claim=claim
        ).carry_out()
    elif isinstance(claim, Stop):
        _logger.info("saga %s: %s stops here: %s", saga_id, path, claim.reason)
        stop_chain(task)


def _claim(
    log: SagaLog, task: Task[Any, Any], saga_id: str, path: str, token: str
) -> Run | Done | Stop:
    return _insist(
        lambda: log.claim_step(
            saga_id,
            path,
            token=token,
            owner=f"{_BOOT}:{os.getpid()}",
            retries=task.request.retries or 0,
            brought=(task.request.headers or {}).get(TOKEN_HEADER, ""),
        ),
        until=time.monotonic() + CLAIM_PATIENCE,
    )


def _insist(call: Callable[[], T], *, until: float) -> T:
    """Repeat a call of the log until it lands; a script repeated under one token answers the same."""
    pause = 0.05
    while True:
        try:
            return call()
        except SoftTimeLimitExceeded:
            continue  # it is the function's limit, and came too late to stop it
        except LogUnavailable:
            if time.monotonic() + pause > until:
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        pause = min(pause * 2, 2.0)


def _put_off(task: Task[Any, Any], token: str, error: LogUnavailable) -> NoReturn:
    """Publish the message again, some seconds on: the same id and retries, and the token of this claim.

    The claim may have landed although its answer did not come; the token lets the next one take its
    place. (`Task.retry` would count it, and ``Reject(requeue=True)`` would spin.)
    """
    countdown = random.uniform(5.0, 15.0)  # noqa: S311 - jitter
    headers = {**(task.request.headers or {}), TOKEN_HEADER: token}
    message = task.signature_from_request(task.request, countdown=countdown, headers=headers)
    _logger.warning("%s waits %.0f s: %s", task.request.id, countdown, error)
    message.apply_async()
    raise Retry("the saga log is away", exc=error, sig=message)


class Attempt:
    """One attempt that has its claim."""

    def __init__(
        self,
        task: Task[Any, Any],
        activity: Definition,
        log: SagaLog,
        *,
        saga_id: str,
        path: str,
        token: str,
        claim: Run,
    ) -> None:
        self._task = task
        self._activity = activity
        self._log = log
        self._saga_id = saga_id
        self._path = path
        self._token = token
        self._claim = claim
        self._record: RecordPlan = claim.itinerary.records[path]
        self._number = claim.attempts + 1
        self._until = time.monotonic() + self._record.call.start_to_close_timeout + GIVEN_UP_AFTER

    def carry_out(self) -> None:
        """Call the function, and record what came of it."""
        activity = self._activity
        try:
            arguments = self._arguments()
        except ValidationError as error:
            self._fail(NotDone(f"the input of {self._path} does not validate: {error}"))
        try:
            with entered(self._context()):
                output = output_json(activity.output, activity.function(*arguments))
        except Exception as error:  # noqa: BLE001 - whatever it raises has an outcome
            self._end(error)
        else:
            self._complete(to_json(output).decode())

    def _arguments(self) -> list[Any]:
        activity, claim = self._activity, self._claim
        request = validated(activity.parameters[0], fill(self._record.inputs, claim.sources))
        if not self._record.undoes:
            return [request]
        return [request, compensated_output(activity, claim.undone_output)]

    def _context(self) -> Context:
        record, left = self._record, self._claim.saga_time_left
        limit = record.call.start_to_close_timeout
        key = f"{self._saga_id}:{record.undoes_path}"
        return Context(
            saga_id=self._saga_id,
            step=record.step.name,
            attempt=self._number,
            deadline=time.time() + (limit if left is None else min(limit, left)),
            idempotency_key=f"{self._saga_id}:{self._path}",
            undone=Undoes(activity=record.undoes.task, idempotency_key=key)
            if record.undoes
            else None,
        )

    def _complete(self, output: str) -> None:
        link = next_path(self._task)
        follows = self._land(
            lambda: self._log.complete_step(
                self._saga_id, self._path, token=self._token, output=output, link=link
            )
        )
        self._go_on(follows)

    def _end(self, error: Exception) -> None:
        """End a failed attempt: another one follows, or none."""
        policy = self._policy()
        wait = wait_after(policy, error, self._number)
        left = self._claim.saga_time_left
        in_time = left is None or wait < left
        if isinstance(error, Refused) or not policy.allows(error, self._number) or not in_time:
            self._fail(error)
        else:
            self._retry(error, wait)

    def _policy(self) -> RetryPolicy:
        """Join the numbers that the saga was started with and the classes that the activity names today."""
        from_log = self._record.call.retry
        classes = self._activity.retry.non_retryable
        return RetryPolicy(**{**vars(from_log), "non_retryable": classes})

    def _retry(self, error: Exception, wait: float) -> None:
        follows = self._land(
            lambda: self._log.retry_step(
                self._saga_id,
                self._path,
                token=self._token,
                error=error_json(error),
                wait=wait,
                unknown=is_unknown(error),
                spent=True,
            )
        )
        if follows.action != "retry":
            self._go_on(follows)
        elif wait > settings_of(self._task.app).max_countdown:
            stop_chain(self._task)  # its due entry publishes it
        else:
            self._publish_retry(error, wait, tries=follows.number)

    def _publish_retry(self, error: Exception, wait: float, *, tries: int) -> None:
        self._task.request.retries = tries - 1
        try:
            raise self._task.retry(exc=error, countdown=wait)
        except Reject:
            # Celery's answer to an unreachable broker. Raised, it would run the error callback.
            _logger.warning("saga %s: %s is tried again when it is due", self._saga_id, self._path)
            stop_chain(self._task)

    def _fail(self, error: Exception) -> None:
        """Record a final failure. A step's goes on to Celery; an undo's does not stop the others."""
        link = next_path(self._task)
        follows = self._land(
            lambda: self._log.fail_step(
                self._saga_id,
                self._path,
                token=self._token,
                error=error_json(error),
                unknown=is_unknown(error),
                refused=isinstance(error, Refused),
                outcome=self._record.step.outcome_of(type(error)),
                link=link,
            )
        )
        if follows.action == "late" or self._record.undoes:
            self._go_on(follows)
        else:
            raise error

    def _land(self, write: Callable[[], Next]) -> Next:
        follows = _insist(write, until=self._until)
        _logger.info(
            "saga %s: %s, attempt %d: %s", self._saga_id, self._path, self._number, follows.action
        )
        return follows

    def _go_on(self, follows: Next) -> None:
        if follows.action == "go":
            return
        stop_chain(self._task)
        if follows.action == "advance":
            send_advance(self._task.app, self._saga_id, follows.number)


def wait_after(policy: RetryPolicy, error: Exception, attempt: int) -> float:
    """Seconds until the next attempt: the policy's, or longer where the error asks for it."""
    wait = policy.wait(attempt)
    return max(wait, error.retry_after) if isinstance(error, NotDone) else wait


def is_unknown(error: BaseException) -> bool:
    """Tell whether nobody knows if an attempt that ended so took effect."""
    return not isinstance(error, Refused | NotDone)


def compensated_output(activity: Definition, value: Any) -> Any:
    """Build the second argument of a compensation: the output that it undoes, or None."""
    if value is None:
        return None
    members = get_args(activity.parameters[1]) or (activity.parameters[1],)
    return validated(next(each for each in members if each is not type(None)), value)
