"""What is kept of pydantic's validation errors, which quote their input: location, type, and the message if that cannot."""

from typing import Final, get_args

from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, core_schema

_OF_PYDANTIC: Final = frozenset(get_args(core_schema.ErrorType))
"""The types of pydantic's own errors. The message of another type is a validator's, which may quote the input."""

_OF_MODEL: Final = frozenset(
    {
        *("ge", "gt", "le", "lt", "multiple_of", "pattern", "expected", "expected_tags"),
        *("min_length", "max_length", "max_digits", "decimal_places", "whole_digits"),
        *("class", "class_name", "discriminator", "expected_schemes", "expected_version"),
        *("field_type", "actual_length", "tz_expected", "tz_actual"),
    }
)
"""What a message may tell: the model's constraints, and measures. ``error`` or ``tag`` would quote the input."""


def without_value(of: ErrorDetails) -> InitErrorDetails:
    """Keep an error's place, type and, if it is pydantic's own, message, with dots for what may quote the input."""
    if of["type"] not in _OF_PYDANTIC:
        unsaid = PydanticCustomError(of["type"], "The value is invalid")
        return InitErrorDetails(type=unsaid, loc=of["loc"], input=None)
    told = {
        name: value if name in _OF_MODEL else "..." for name, value in of.get("ctx", {}).items()
    }
    return InitErrorDetails(type=of["type"], loc=of["loc"], input=None, ctx=told)
