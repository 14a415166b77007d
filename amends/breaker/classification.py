"""Classify the error of a call: failure, success or neutral."""

from celery.exceptions import Ignore, Reject, Retry
from celery.utils.serialization import UnpickleableExceptionWrapper

from amends.breaker.options import Options
from amends.breaker.results import Failure
from amends.breaker.states import Outcome
from amends.definition.retry_policy import retry_after_of
from amends.definition.serialization import message_of, type_name
from amends.errors import CircuitOpenError

_LONGEST_WHY = 200
_DEEPEST = 10
_NEUTRAL = (
    Ignore,
    Reject,
    CircuitOpenError,  # a rejected call was not made, and is a failure of no breaker
)


def classify(error: BaseException | None, options: Options) -> Outcome:
    """Tell what came of a call that raised this error, or returned where it is None."""
    if error is None:
        return Outcome.SUCCESS
    cause = unwrapped(error)
    if cause is None or isinstance(cause, _NEUTRAL):
        return Outcome.NEUTRAL
    return options.outcome_of(cause)


def unwrapped(error: BaseException | None) -> BaseException | None:
    """Take Celery's `Retry` off the error that it is raised for; None where there is none."""
    for _ in range(_DEEPEST):
        if not isinstance(error, Retry):
            return error
        held, chained = error.exc, error.__cause__ or error.__context__
        # Celery holds something else where an error does not pickle: one of a class above its own, or a
        # wrapper (celery/utils/serialization.py). Python's own chain has the error itself.
        is_other = isinstance(held, UnpickleableExceptionWrapper)
        is_other = is_other or (held is not None and isinstance(chained, type(held)))
        error = chained if held is None or (is_other and chained) else held
    return None


def failure_of(error: BaseException | None) -> Failure:
    """Read from an error why a call failed, and its ``retry_after`` if it has one."""
    cause = unwrapped(error) or error
    if cause is None:
        return Failure(why="")
    why = f"{type_name(cause)}: {message_of(cause)}"[:_LONGEST_WHY]
    return Failure(why=why, retry_after=retry_after_of(cause) or None)
