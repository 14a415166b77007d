"""One attempt at an activity: call the function under a claim, and record what came of it."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, get_args

from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.log import get_task_logger
from pydantic import BaseModel

from amends.answers import Next, Run
from amends.errors import LogUnavailable, NotDone, Refused
from amends.invocation import Context, Undoes, entered
from amends.itinerary import RecordPlan, fill
from amends.log import SagaLog
from amends.payload import error_json, output_text, validated
from amends.policy import RetryPolicy

T = TypeVar("T")

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
    priority: int | None


Call = Callable[[str, Callable[..., Any], list[Any]], Any]
"""How a function is called: with the path of its record, the function and its arguments."""


def call_directly(_path: str, function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Call an activity's function as it is."""
    return function(*arguments)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How an attempt ended: what follows by the log, its error, and the wait for the next one.

    `fails` tells that a step failed for good, which is Celery's to know; an undo's failure is not,
    for the undos after it go on.
    """

    follows: Next
    error: Exception | None = None
    wait: float = 0.0
    fails: bool = False


class Attempt:
    """One attempt that has its claim. `link` is the path of its chain's next link, or ''."""

    def __init__(
        self,
        activity: Definition,
        log: SagaLog,
        claim: Run,
        *,
        saga_id: str,
        path: str,
        token: str,
        link: str = "",
        call: Call = call_directly,
    ) -> None:
        self._activity = activity
        self._log = log
        self._claim = claim
        self._saga_id = saga_id
        self._path = path
        self._token = token
        self._link = link
        self._call = call
        self._record: RecordPlan = claim.itinerary.records[path]
        self._number = claim.attempts + 1
        self._spent = claim.spent + 1  # which is what the policy counts
        limit = self._record.call.start_to_close_timeout
        self._limit = limit
        self._began = time.monotonic()
        self._until = self._began + claim.time_left

    def carry_out(self) -> Ended:
        """Call the function, and record what came of it. Raises `LogUnavailable` if that is in vain."""
        activity = self._activity
        try:
            arguments = self._arguments()
        except Exception as error:  # noqa: BLE001 - a validator may raise anything
            return self._fail(NotDone(f"the input of {self._path} does not validate: {error!r}"))
        try:
            with entered(self._context()):
                result = self._call(self._path, activity.function, arguments)
                output = output_text(activity.output, result, activity=activity.name)
        except SoftTimeLimitExceeded:  # the same error in every kind of pool
            return self._retry_or_fail(TimeoutError(f"no answer after {self._limit:g} s"))
        except Exception as error:  # noqa: BLE001 - whatever it raises has an outcome
            return self._retry_or_fail(error)
        return self._complete(output)

    def _arguments(self) -> list[Any]:
        request = validated(
            self._activity.parameters[0], fill(self._record.inputs, self._claim.sources)
        )
        if not self._record.undoes:
            return [request]
        return [request, compensated_output(self._activity, self._claim.undone_output)]

    def _context(self) -> Context:
        record, left = self._record, self._claim.saga_time_left
        key = f"{self._saga_id}:{record.undoes_path}"
        return Context(
            saga_id=self._saga_id,
            step=record.step.name,
            attempt=self._number,
            deadline=time.time() + (self._limit if left is None else min(self._limit, left)),
            idempotency_key=f"{self._saga_id}:{self._path}",
            undone=Undoes(activity=record.undoes.task, idempotency_key=key)
            if record.undoes
            else None,
        )

    def _complete(self, output: str) -> Ended:
        follows = self._land(
            lambda: self._log.complete_step(
                self._saga_id, self._path, token=self._token, output=output, link=self._link
            )
        )
        return Ended(follows=follows)

    def _retry_or_fail(self, error: Exception) -> Ended:
        policy = self._policy()
        wait = wait_after(policy, error, self._spent)
        left = self._claim.saga_time_left
        in_time = left is None or wait < left - (time.monotonic() - self._began)
        if isinstance(error, Refused) or not policy.allows(error, self._spent) or not in_time:
            return self._fail(error)
        follows = self._land(
            lambda: self._log.retry_step(
                self._saga_id,
                self._path,
                token=self._token,
                error=error_json(error),
                wait=wait,
                unknown=is_unknown(error),
                cost="attempt",
            )
        )
        return Ended(follows=follows, error=error, wait=wait)

    def _policy(self) -> RetryPolicy:
        """Join the numbers that the saga was started with and the classes that the activity names today."""
        from_log = self._record.call.retry
        return RetryPolicy(
            **{**vars(from_log), "non_retryable": self._activity.retry.non_retryable}
        )

    def _fail(self, error: Exception) -> Ended:
        follows = self._land(
            lambda: self._log.fail_step(
                self._saga_id,
                self._path,
                token=self._token,
                error=error_json(error),
                unknown=is_unknown(error),
                refused=isinstance(error, Refused),
                outcome=self._record.step.outcome_of(type(error)),
                link=self._link,
            )
        )
        fails = follows.action != "late" and not self._record.undoes
        return Ended(follows=follows, error=error, fails=fails)

    def _land(self, write: Callable[[], Next]) -> Next:
        """Keep the result in this process until the log has it, for as long as the claim is ours."""
        follows = insist(write, until=self._until)
        _logger.info(
            "saga %s: %s, attempt %d: %s",
            self._saga_id,
            self._path,
            self._number,
            follows.action,
        )
        return follows


_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0


def insist(call: Callable[[], T], *, until: float) -> T:
    """Repeat a call of the log until it lands; a script repeated under one token answers the same.

    `until` is a time as of ``time.monotonic()``; after it `LogUnavailable` is raised.
    """
    pause = _FIRST_PAUSE
    while True:
        try:
            return call()
        except SoftTimeLimitExceeded:
            continue  # it is the function's limit, and came too late to stop it
        except LogUnavailable:
            if time.monotonic() + pause > until:
                raise
        with suppress(SoftTimeLimitExceeded):
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        pause = min(pause * 2, _LONGEST_PAUSE)


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
