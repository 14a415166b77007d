"""One attempt at an activity: call the function under a claim, and record what came of it."""

import random
import time
from collections.abc import Callable, Coroutine
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import cache, partial
from typing import Any, Final

from celery.exceptions import SoftTimeLimitExceeded, WorkerLostError
from celery.utils.log import get_task_logger

from amends.activities import coroutines
from amends.activities.context import CURRENT, Context, Undoes, Verifies
from amends.activities.greenlets import check_pool
from amends.activities.guard import Caller, GuardedCall
from amends.activities.log_retry import interrupts, retry_until_written
from amends.activities.protocol import Call, Definition, Ended
from amends.activities.raised import as_told, ends_process, failure_json, for_celery, is_unknown
from amends.activities.soft_limit import soft_limit
from amends.activities.wait_links import WaitLinks
from amends.backend.outage_lines import OUTAGE
from amends.definition.itinerary import RecordPlan
from amends.definition.retry_policy import RetryPolicy
from amends.definition.serialization import message_of, output_text, type_name
from amends.errors import CircuitOpenError, ConfigurationError, NotDone, Refused, UnreadableData
from amends.log.answers import Claim, Continuation, Cost, Late, Run
from amends.log.delivery import Delivery
from amends.log.saga_log import SagaLog
from amends.telemetry.spans import attempt_span
from amends.traces.sagas import shielded

_TURN_AFTER: Final = (5.0, 15.0)  # seconds, at least and at most
# The waits for a worker whose code can read what this one cannot.
_OTHER_CODE: Final = RetryPolicy(initial_interval=10.0, max_interval=80.0)
_logger = get_task_logger(__name__)
_Result = tuple[str, BaseException | None]


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
        call: Call | None = None,
    ) -> None:
        self._activity, self._log, self._claim = activity, log, claim
        self._saga_id, self._path = saga_id, path
        self._link, self._caller, self._call = link, caller, call
        self._record: RecordPlan = claim.itinerary.records[path]
        self._held: Any = {"token": token, "is_plain": claim.itinerary.requires == 1}
        self._number, self._spent = claim.attempts + 1, claim.spent + 1  # which the policy counts
        self._limit = self._record.call.start_to_close_timeout
        self._began = time.monotonic()
        self._until = self._began + claim.time_left

    def carry_out(self) -> str | Ended:
        """Call the function. Returns its output as JSON, to be recorded with `complete`; otherwise how the attempt ended.

        '' where the step's condition is false, and nothing is called. Raises `LogUnavailable` if that cannot be recorded, and what
        ends the process.
        """
        if self._record.step.when is not None and not self._record.is_wanted(self._claim.sources):
            return ""
        try:
            if self._activity.is_async:
                check_pool(self._activity)
            arguments = self._record.arguments(
                self._activity.parameters, self._claim.sources, self._claim.compensated_output
            )
        except (UnreadableData, ConfigurationError) as error:
            return self._put_off(error)
        guard = self._activity.guard
        limits = {"longest": self._claim.time_left, "limit": self._limit}
        try:
            guarded = guard.acquire(self._caller, **limits) if guard else None
        except CircuitOpenError as error:
            return self._meet_open_circuit(error)
        output, failure = self._try(arguments, guarded)
        if guarded:
            with suppress(SoftTimeLimitExceeded):  # it came too late to stop the call
                guarded.record(failure)
        return output if failure is None else self._retry_or_fail(failure)

    def complete(self, output: str, message: Delivery | None = None) -> Ended:
        """Record that the attempt took effect; `message` is the next link's."""
        return self._complete(partial(self._log.complete_step, message=message), output)

    def complete_and_claim(self, output: str, claim: Claim) -> Ended:
        """Do as `complete`, and claim the next link at once."""
        return self._complete(partial(self._log.complete_and_claim, claim=claim), output)

    def _complete(self, write: Callable[..., Continuation], output: str) -> Ended:
        how = {"output": output, "link": self._link, **self._held}
        return Ended(follows=self._land(lambda: write(self._saga_id, self._path, **how)))

    def _try(self, arguments: list[Any], guarded: GuardedCall | None) -> _Result:
        """Call the function. Returns its output as JSON, or its error."""
        is_inline = self._claim.itinerary.dispatch == "inline"  # else Celery has the limit
        limited = soft_limit(self._limit) if is_inline else nullcontext()
        of = self._saga_id, self._claim.itinerary, self._record, self._number
        span = attempt_span(*of) if self._claim.trace else None
        try:
            with limited:
                output, error = self._call_function(arguments, guarded)
        except BaseException as struck:  # noqa: BLE001 - the limit, on the way out
            output, error = "", struck
        if error is not None and not ends_process(error):
            error = as_told(error, limit=self._limit, took=time.monotonic() - self._began)
        if span:
            shielded(partial(span.end, error, is_answer=isinstance(error, Refused)))
        if error is not None and ends_process(error):
            raise error
        return output, error

    def _call_function(self, arguments: list[Any], guarded: GuardedCall | None) -> _Result:
        """Call the function in its context. Returns what `_try` does.

        No error passes through a generator's context manager, which sets its traceback: a frozen dataclass lets none be set.
        """
        activity, token = self._activity, CURRENT.set(self._context())
        try:
            with guarded or nullcontext():
                function, call = activity.function, self._call
                result = call(self._path, function, arguments) if call else function(*arguments)
                if activity.is_async and isinstance(result, Coroutine):
                    result = coroutines.run(result, limit=self._limit)
                how: Any = {"activity": activity.name, "may_be_none": activity.may_return_none}
                return output_text(activity.output, result, **how), None
        except BaseException as error:  # noqa: BLE001 - whatever it raises has an outcome
            return "", error
        finally:
            CURRENT.reset(token)

    def _context(self) -> Context:
        record, left = self._record, self._claim.saga_time_left
        undone, asked = record.compensates, record.verifies
        own, key = f"{self._saga_id}:{self._path}", f"{self._saga_id}:{record.compensated_path}"
        return Context(
            saga_id=self._saga_id,
            step=record.step.name,
            attempt=self._number,
            deadline=time.time() + (self._limit if left is None else min(self._limit, left)),
            idempotency_key=own,
            undone=Undoes(activity=undone.task, idempotency_key=key) if undone else None,
            verified=Verifies(activity=asked.task, idempotency_key=key) if asked else None,
            links=cache(partial(WaitLinks, self._claim.itinerary, self._saga_id, made_by=own)),
        )

    def _put_off(self, error: UnreadableData | ConfigurationError) -> Ended:
        """Leave the record to a worker of other code or another pool; after several the saga is parked. No call was made."""
        return self._retry(error, wait=_OTHER_CODE.wait(self._claim.tries + 1), cost="unreadable")

    def wait_for_turn(self) -> Ended:
        """Let a later attempt follow, as another record like this one runs. No call is made, and no attempt spent."""
        error = NotDone("it waits to run apart: its workers died, and another such step runs here")
        return self._retry(error, wait=random.uniform(*_TURN_AFTER), cost="nothing")  # noqa: S311

    def _meet_open_circuit(self, error: CircuitOpenError) -> Ended:
        """Defer or fail, as the activity says for an open circuit. No call was made: no attempt is spent."""
        guard = self._activity.guard
        if guard and guard.on_open == "defer":
            wait = guard.wait(error, self._claim.tries)
            if self._is_in_time(wait):
                return self._retry(error, wait=wait, cost="nothing")
        return self._fail(error, cost="nothing")

    def _retry_or_fail(self, error: BaseException) -> Ended:
        if isinstance(error, Refused):
            return self._fail(error)
        # The numbers are those of the saga's itinerary, the classes the activity's.
        policy = replace(self._record.call.retry, non_retryable=self._activity.retry.non_retryable)
        wait = policy.wait_after(error, self._spent)
        if not policy.allows(error, self._spent) or not self._is_in_time(wait):
            return self._fail(error)
        return self._retry(error, wait=wait)

    def _is_in_time(self, wait: float) -> bool:
        left = self._claim.saga_time_left
        return left is None or wait < left - (time.monotonic() - self._began)

    def _retry(self, error: BaseException, *, wait: float, cost: Cost = "attempt") -> Ended:
        """Record that the attempt failed, and another one follows after the wait."""
        if cost == "attempt":  # Celery tells of a retry at INFO, without a traceback
            text = "saga %s: %s, attempt %d failed, and is tried again in %.1f s"
            _logger.warning(text, self._saga_id, self._path, self._number, wait, exc_info=error)
        follows = self._land(
            lambda: self._log.retry_step(
                self._saga_id,
                self._path,
                error=failure_json(error, self._activity.function),
                wait=wait,
                unknown=cost != "nothing" and is_unknown(error),
                cost=cost,
                **self._held,
            )
        )
        return Ended(follows=follows, error=for_celery(error), wait=wait)

    def _fail(self, error: BaseException, *, cost: Cost = "attempt") -> Ended:
        """Record that the attempt failed, and none follows."""
        refused = isinstance(error, Refused)
        follows = self._land(
            lambda: self._log.fail_step(
                self._saga_id,
                self._path,
                error=failure_json(error, self._activity.function),
                unknown=cost == "attempt" and is_unknown(error),
                refused=refused,
                outcome=self._record.outcome_of(type(error)),
                link=self._link,
                cost=cost,
                **self._held,
            )
        )
        fails, told = not isinstance(follows, Late), for_celery(error)
        return Ended(follows=follows, error=told, fails=fails, refused=refused)

    def break_off(self, error: BaseException, *, poison_after: int) -> None:
        """Record a death: the attempt is over without an end of its own, and its process lives on."""
        lost = WorkerLostError(f"it was broken off: {type_name(error)}: {message_of(error)}")
        record = self._log.read_saga(self._saga_id).records[self._path]
        if record.used.since(record.renewed).deaths + 1 >= poison_after:
            self._fail(lost)
        else:
            self._retry(lost, wait=0.0, cost="death")

    def _land(self, write: Callable[[], Continuation]) -> Continuation:
        """Retry the write until the log has it, at most until the claim is given up."""
        who = self._saga_id, self._path
        try:
            follows = write()
        except BaseException as error:
            if not interrupts(error):
                raise
            OUTAGE.warn(_logger, "saga %s: how %s ended is kept: %s", *who, message_of(error))
            follows = retry_until_written(write, error, until=self._until)
        _logger.debug("saga %s: %s, attempt %d: %s", *who, self._number, follows.said)
        return follows
