"""One attempt at an activity: call the function under a claim, and record what came of it."""

import random
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol

from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.log import get_task_logger
from pydantic import BaseModel

from amends.activities.context import Context, Undoes, entered
from amends.activities.guard import Caller, Guard, GuardedCall, wait_for_circuit
from amends.activities.log_retry import INTERRUPTIONS, retry_until_written
from amends.activities.soft_limit import soft_limit, timed_out
from amends.definition.itinerary import RecordPlan
from amends.definition.retry_policy import RetryPolicy
from amends.definition.serialization import error_json, output_text, without_values
from amends.errors import CircuitOpenError, NotDone, Refused, UnreadableData
from amends.log.answers import Claim, Continuation, Cost, Late, Run
from amends.log.delivery import Delivery
from amends.log.saga_log import SagaLog

_TURN_AFTER: Final = (5.0, 15.0)  # seconds, at least and at most
_OTHER_CODE: Final = RetryPolicy(initial_interval=10.0, max_interval=80.0)
"""The waits for a worker whose code can read what this one cannot."""

_logger = get_task_logger(__name__)


class Definition(Protocol):
    """The part of an activity that an attempt uses."""

    name: str
    function: Callable[..., Any]
    parameters: list[type[BaseModel]]
    output: type[BaseModel] | None
    retry: RetryPolicy
    start_to_close_timeout: float
    queue: str | None
    priority: int | None
    guard: Guard | None


Call = Callable[[str, Callable[..., Any], list[Any]], Any]
"""Calls an activity's function: gets the record's path, the function and its arguments."""


def call_directly(_path: str, function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Call an activity's function as it is."""
    return function(*arguments)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How an attempt ended: what follows by the log, its error, and the wait for the next one.

    `fails` tells that a step failed for good, and its task too. A compensation's goes on to those after it.
    """

    follows: Continuation
    error: Exception | None = None
    wait: float = 0.0
    fails: bool = False


def is_unknown(error: BaseException) -> bool:
    """Tell whether nobody knows if an attempt that ended so took effect."""
    return not isinstance(error, Refused | NotDone)


class Attempt:
    """One attempt, under its claim. `link` is the path of the chain's next link, or ''."""

    def __init__(
        self,
        activity: Definition,
        log: SagaLog,
        claim: Run,
        *,
        saga_id: str,
        path: str,
        token: str,
        caller: Caller,
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
        self._caller = caller
        self._call = call
        self._record: RecordPlan = claim.itinerary.records[path]
        self._number = claim.attempts + 1
        self._spent = claim.spent + 1  # which is what the policy counts
        self._limit = self._record.call.start_to_close_timeout
        self._began = time.monotonic()
        self._until = self._began + claim.time_left

    def carry_out(self) -> str | Ended:
        """Call the function. Returns its output as JSON, to be recorded with `complete`; otherwise how the attempt ended.

        Raises `LogUnavailable` if that cannot be recorded.
        """
        try:
            arguments = self._record.arguments(
                self._activity.parameters, self._claim.sources, self._claim.compensated_output
            )
        except UnreadableData as error:
            return self._put_off(error)
        try:
            guarded = self._permit()
        except CircuitOpenError as error:
            return self._meet_open_circuit(error)
        output, failure = self._try(arguments, guarded)
        if guarded:
            with suppress(SoftTimeLimitExceeded):  # it came too late to stop the call
                guarded.record(failure)
        return output if failure is None else self._retry_or_fail(failure)

    def complete(self, output: str, message: Delivery | None = None) -> Ended:
        """Record that the attempt took effect; `message` is the next link's. Raises `LogUnavailable` if the log stays away."""
        return self._complete(partial(self._log.complete_step, message=message), output)

    def complete_and_claim(self, output: str, claim: Claim) -> Ended:
        """Do as `complete`, and claim the next link at once."""
        return self._complete(partial(self._log.complete_and_claim, claim=claim), output)

    def _complete(self, write: Callable[..., Continuation], output: str) -> Ended:
        how = {"token": self._token, "output": output, "link": self._link}
        return Ended(follows=self._land(lambda: write(self._saga_id, self._path, **how)))

    def _permit(self) -> GuardedCall | None:
        guard = self._activity.guard
        if guard is None:
            return None
        return guard.acquire(self._caller, longest=self._claim.time_left, limit=self._limit)

    def _try(
        self, arguments: list[Any], guarded: GuardedCall | None
    ) -> tuple[str, Exception | None]:
        """Call the function. Returns its output as JSON, or its error."""
        activity = self._activity
        # Celery has the limit of a message's only step.
        is_one_of_many = self._claim.itinerary.dispatch == "inline"
        limited = soft_limit(self._limit) if is_one_of_many else nullcontext()
        try:
            with entered(self._context()), limited, guarded or nullcontext():
                result = self._call(self._path, activity.function, arguments)
                return output_text(activity.output, result, activity=activity.name), None
        except SoftTimeLimitExceeded:
            return "", timed_out(self._limit)
        except Exception as error:  # noqa: BLE001 - whatever it raises has an outcome
            return "", without_values(error)

    def _context(self) -> Context:
        record, left = self._record, self._claim.saga_time_left
        key = f"{self._saga_id}:{record.compensated_path}"
        return Context(
            saga_id=self._saga_id,
            step=record.step.name,
            attempt=self._number,
            deadline=time.time() + (self._limit if left is None else min(self._limit, left)),
            idempotency_key=f"{self._saga_id}:{self._path}",
            undone=Undoes(activity=record.compensates.task, idempotency_key=key)
            if record.compensates
            else None,
        )

    def _put_off(self, error: UnreadableData) -> Ended:
        """Leave the record to a worker of other code; after several the saga is parked. No call was made."""
        return self._retry(error, wait=_OTHER_CODE.wait(self._claim.tries + 1), cost="unreadable")

    def wait_for_turn(self) -> Ended:
        """Let a later attempt follow, as another record like this one runs. No call is made, and no attempt spent."""
        error = NotDone("it waits to run apart: its workers died, and another such step runs here")
        return self._retry(error, wait=random.uniform(*_TURN_AFTER), cost="nothing")  # noqa: S311

    def _meet_open_circuit(self, error: CircuitOpenError) -> Ended:
        """Defer or fail, as the activity says for an open circuit. No call was made: no attempt is spent."""
        guard, wait = self._activity.guard, wait_for_circuit(error, self._claim.tries)
        if guard and guard.on_open == "defer" and self._is_in_time(wait):
            return self._retry(error, wait=wait, cost="nothing")
        return self._fail(error, cost="nothing")

    def _retry_or_fail(self, error: Exception) -> Ended:
        if isinstance(error, Refused):
            return self._fail(error)
        policy = self._policy()
        wait = policy.wait_after(error, self._spent)
        if not policy.allows(error, self._spent) or not self._is_in_time(wait):
            return self._fail(error)
        return self._retry(error, wait=wait)

    def _is_in_time(self, wait: float) -> bool:
        left = self._claim.saga_time_left
        return left is None or wait < left - (time.monotonic() - self._began)

    def _retry(self, error: Exception, *, wait: float, cost: Cost = "attempt") -> Ended:
        follows = self._land(
            lambda: self._log.retry_step(
                self._saga_id,
                self._path,
                token=self._token,
                error=error_json(error),
                wait=wait,
                unknown=cost == "attempt" and is_unknown(error),
                cost=cost,
            )
        )
        return Ended(follows=follows, error=error, wait=wait)

    def _policy(self) -> RetryPolicy:
        """Return the retry policy: the numbers of the saga's itinerary, the classes of the activity."""
        return replace(self._record.call.retry, non_retryable=self._activity.retry.non_retryable)

    def _fail(self, error: Exception, *, cost: Cost = "attempt") -> Ended:
        follows = self._land(
            lambda: self._log.fail_step(
                self._saga_id,
                self._path,
                token=self._token,
                error=error_json(error),
                unknown=cost == "attempt" and is_unknown(error),
                refused=isinstance(error, Refused),
                outcome=self._record.step.outcome_of(type(error)),
                link=self._link,
                cost=cost,
            )
        )
        fails = not isinstance(follows, Late) and not self._record.compensates
        return Ended(follows=follows, error=error, fails=fails)

    def _land(self, write: Callable[[], Continuation]) -> Continuation:
        """Retry the write until the log has it, at most until the claim is given up."""
        who = self._saga_id, self._path
        try:
            follows = write()
        except INTERRUPTIONS as error:
            _logger.warning("saga %s: how %s ended is kept: %s", *who, error)
            follows = retry_until_written(write, error, until=self._until)
        _logger.info("saga %s: %s, attempt %d: %s", *who, self._number, follows.said)
        return follows
