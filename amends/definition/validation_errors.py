"""Validation errors without the values that failed: more people read history, logs and monitors than may read the data.

Pydantic's ``ValidationError`` quotes its input. Kept of each of its errors are the location, the type, and the message
if that cannot quote the input.
"""

from typing import Final, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, core_schema

Error = TypeVar("Error", bound=BaseException)

_LONGEST_CHAIN: Final = 20
"""Errors that one was raised from which are kept; a loop of retries in an activity may make thousands."""

_OF_PYDANTIC: Final = frozenset(get_args(core_schema.ErrorType))
"""The types of pydantic's own errors. The message of another type is a validator's, which may quote the input."""

_OF_MODEL: Final = frozenset(
    {
        *("ge", "gt", "le", "lt", "multiple_of", "pattern", "expected", "expected_tags"),
        *("min_length", "max_length", "max_digits", "decimal_places", "whole_digits"),
        *("class", "class_name", "discriminator", "expected_schemes", "expected_version"),
        *("field_type", "actual_length"),
    }
)
"""What a message may tell: the model's own constraints, and a length. ``error`` or ``tag`` would quote the input."""


def without_values(error: Error) -> Error:
    """Return the error, or if it is a ``ValidationError`` its like without values.

    Each error that it was raised from, which a traceback shows too, is replaced in the same way.
    """
    told = _like(error)
    last: BaseException = told
    for _ in range(_LONGEST_CHAIN):
        is_explicit, before = last.__suppress_context__, _raised_from(last)
        last.__context__ = before and _like(before)
        last.__cause__ = last.__context__ if is_explicit else None
        last.__suppress_context__ = is_explicit
        if last.__context__ is None:
            return told
        last = last.__context__
    last.__cause__ = last.__context__ = None
    return told


def invalid_input(path: str, error: Exception) -> str:
    """Tell why the input of a record does not validate; of what else a validator may raise, the type."""
    why = validation_text(error) if isinstance(error, ValidationError) else type(error).__name__
    return f"the input of {path} does not validate: {why}"


def validation_text(error: ValidationError) -> str:
    """Tell what failed on one line, without values: ``amount: Input should be greater than 0 [greater_than]``."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or error.title}: {_message(each)} [{each['type']}]"
        for each in error.errors(include_url=False, include_input=False)
    )


def _raised_from(error: BaseException) -> BaseException | None:
    """Return what a traceback shows before an error."""
    return error.__cause__ if error.__suppress_context__ else error.__context__


def _like(error: Error) -> Error:
    if not isinstance(error, ValidationError):
        return error
    lines = [
        InitErrorDetails(
            type=PydanticCustomError(each["type"], _message(each)),
            loc=each["loc"],
            input=None,
        )
        for each in error.errors(include_url=False, include_input=False)
    ]
    like = type(error).from_exception_data(error.title, lines, hide_input=True)
    like.__cause__, like.__context__ = error.__cause__, error.__context__
    like.__suppress_context__ = error.__suppress_context__
    return like.with_traceback(error.__traceback__)


def _message(of: ErrorDetails) -> str:
    is_told = of["type"] in _OF_PYDANTIC and of.get("ctx", {}).keys() <= _OF_MODEL
    return of["msg"] if is_told else "The value is invalid"
