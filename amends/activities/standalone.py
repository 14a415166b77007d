"""Calls of an activity without a saga: the message brings the input, and Celery's retries are the only record."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import secrets
import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from celery.exceptions import Retry, SoftTimeLimitExceeded
from pydantic import ValidationError

from amends.activities import coroutines
from amends.activities.context import CURRENT, Context
from amends.activities.greenlets import check_pool
from amends.activities.guard import Guard, GuardedCall
from amends.activities.protocol import Definition
from amends.activities.raised import as_told, ends_process, for_celery
from amends.backend.settings import settings_of
from amends.definition.serialization import output_json, validated, without_values
from amends.dispatch.messages import DEFERRALS_HEADER, countdown_of, headers_again
from amends.errors import CircuitOpenError, Refused


class StandaloneCall:
    """One call, for the message that an activity's task has at hand."""

    def __init__(self, task: Any) -> None:
        self._task = task  # an `ActivityTask`
        self._activity: Definition = task.activity
        self._request: Any = task.request
        self._id: str = self._request.id or secrets.token_hex(8)
        self._retries: int = self._request.retries or 0

    def perform(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call the function with these arguments, as JSON data, and return its output as JSON data.

        Raises what the function does, Celery's ``Retry`` when the call is published again, and `ConfigurationError` for an
        async activity among greenlets.
        """
        activity, attempt = self._activity, self._retries + 1
        check_pool(activity)
        output, error = self._try(self._arguments(args, kwargs), attempt)
        # Outside of the handler: Python would note there what the error is without.
        if error is None:
            return output
        if isinstance(error, CircuitOpenError | Retry):
            raise error
        known = for_celery(error)
        if isinstance(error, Refused) or not activity.retry.allows(error, attempt):
            raise known
        wait = countdown_of(self._task.app, activity.retry.wait_after(error, attempt))
        headers = headers_again(self._task)
        raise self._task.retry(exc=known, countdown=wait, headers=headers) from known

    def _try(self, arguments: list[Any], attempt: int) -> tuple[Any, BaseException | None]:
        """Call the function. Returns its output as JSON data, or its error without values that do not validate."""
        guarded, began = self._permit(), time.monotonic()
        output, error = self._call_function(arguments, attempt, guarded)
        if error is not None and ends_process(error):
            raise error
        limit, took = self._activity.start_to_close_timeout, time.monotonic() - began
        told = None if error is None else as_told(error, limit=limit, took=took)
        if guarded:
            guarded.record(told)
        return output, error if isinstance(error, SoftTimeLimitExceeded) else told

    def _call_function(
        self, arguments: list[Any], attempt: int, guarded: GuardedCall | None
    ) -> tuple[Any, BaseException | None]:
        """Call the function. Returns its output as JSON data, or its error."""
        activity, token = self._activity, CURRENT.set(self._context(attempt))
        try:
            with guarded or nullcontext():
                result, may_be_none = activity.function(*arguments), activity.may_return_none
                if activity.is_async:
                    result = coroutines.run(result, limit=self._limit)
                return output_json(activity.output, result, may_be_none=may_be_none), None
        except BaseException as error:  # noqa: BLE001 - whatever it raises has an outcome
            return None, error
        finally:
            CURRENT.reset(token)

    @property
    def _limit(self) -> float:
        """The soft time limit of the call, in seconds: its message may have another than the activity."""
        _, of_message = self._request.timelimit or (None, None)
        return of_message or self._activity.start_to_close_timeout

    def _context(self, attempt: int) -> Context:
        return Context(
            saga_id=None,
            step=None,
            attempt=attempt,
            deadline=time.time() + self._activity.start_to_close_timeout,
            idempotency_key=self._id,
        )

    def _arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """Build the models. A compensation's second one is None where it undoes an effect without an output."""
        name, (model, *rest) = self._activity.name, self._activity.parameters
        if kwargs or len(args) != len(rest) + 1:
            named = f", and {len(kwargs)} by name" if kwargs else ""
            raise TypeError(
                f"{name} takes {len(rest) + 1} positional, each a model as JSON, and got {len(args)}{named}"
            )
        outputs = zip(rest, args[1:], strict=True)
        try:
            return [
                validated(model, args[0]),
                *(None if value is None else validated(each, value) for each, value in outputs),
            ]
        except ValidationError as error:
            invalid = without_values(error)
        raise invalid

    def _permit(self) -> GuardedCall | None:
        """Ask the activity's breaker, if it has one. What is deferred is published again. Raises `CircuitOpenError`."""
        guard = self._activity.guard
        if guard is None:
            return None
        # Until its hard limit: a call that still runs must not lose its slot to another probe.
        longest = self._task.time_limit or self._activity.start_to_close_timeout
        try:
            return guard.acquire((self._id, self._retries), longest=longest, limit=0.0)
        except CircuitOpenError as error:
            if guard.on_open == "defer":
                self._defer(guard, error)
            raise

    def _defer(self, guard: Guard, error: CircuitOpenError) -> None:
        """Publish the message again for when the circuit may let it through; it spends no attempt.

        A wait that is too long for a message is taken in parts: the next part is a deferral like any other.
        """
        given = headers_again(self._task)
        deferrals = int(given.get(DEFERRALS_HEADER, 0))
        headers = {**given, DEFERRALS_HEADER: deferrals + 1}
        longest = settings_of(self._task.app).max_countdown
        wait = countdown_of(self._task.app, min(guard.wait(error, deferrals), longest))
        message = self._task.signature_from_request(self._request, countdown=wait, headers=headers)
        message.apply_async()
        raise Retry(f"circuit {error.name} is open", exc=error, sig=message)
