"""What is inside of the log's JSON: models, outputs and errors.

Validation errors are told without the values that failed: more people read history, logs and monitors than may read the
data.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from operator import is_not
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from amends.definition.losses import check_equal
from amends.definition.validation_errors import without_value
from amends.errors import CircuitOpenError, Refused, UnreadableData

Model = TypeVar("Model", bound=BaseModel)
Error = TypeVar("Error", bound=BaseException)

LARGEST: Final = 1024 * 1024
"""Bytes of JSON that an input or an output may have; the log is no place for files."""


_LONGEST_MESSAGE: Final = 2000
_LONGEST_NAME: Final = 200

_PARTED: Final = (dict, list, tuple)

_LONGEST_CHAIN: Final = 20
"""Errors that one was raised from which are kept; a loop of retries in an activity may make thousands."""


def canonical_json(value: object) -> str:
    """Write JSON that is the same text for the same data."""
    return to_json(_sorted(value)).decode()


def json_members(details: Mapping[str, Any]) -> str:
    """Write details as the members of a JSON object, without its braces, as an event has them."""
    return canonical_json(dict(details))[1:-1]


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: _sorted(each) if isinstance(each := value[key], _PARTED) else each
            for key in sorted(value)
        }
    if isinstance(value, list | tuple):
        return [_sorted(item) if isinstance(item, _PARTED) else item for item in value]
    return value


def dumped(value: BaseModel) -> Any:
    """Turn a model into the JSON data that `validated` builds it from: its own fields, by name."""
    return value.model_dump(mode="json", by_alias=False, round_trip=True)


def given_digest(value: BaseModel) -> str:
    """Return a digest of what a model was given: without what is as its default says, in nested models too."""
    given = value.model_dump_json(by_alias=False, round_trip=True, exclude_defaults=True)
    return hashlib.sha1(given.encode(), usedforsecurity=False).hexdigest()[:16]


def validated(model: type[Model], value: Any) -> Model:
    """Build a model from JSON data, by its fields' names. Raises pydantic's ``ValidationError``."""
    return model.model_validate_json(to_json(value), by_alias=False, by_name=True)


def output_json(model: type[BaseModel] | None, result: Any, *, may_be_none: bool = False) -> Any:
    """Turn what an activity returned into JSON data, holding it to the model that it promised, or None where that `may_be_none`.

    Raises pydantic's ``ValidationError``, and ``TypeError`` where None was promised.
    """
    if model is not None and not (may_be_none and result is None):
        return dumped(model.model_validate(result))
    if result is not None:
        raise TypeError(
            f"it returned a {type(result).__name__}, and its annotation says that it returns None"
        )
    return None


def output_text(
    model: type[BaseModel] | None, result: Any, *, activity: str, may_be_none: bool = False
) -> str:
    """Write an output for the log. Raises what `output_json` and `held_to_size` do."""
    text = to_json(output_json(model, result, may_be_none=may_be_none)).decode()
    return held_to_size(text, f"the output of {activity}")


def fill(fields: Mapping[str, str], sources: Mapping[str, Any]) -> dict[str, Any]:
    """Fill each field from its path, ``<source>.<field>``, or ``<source>`` for all of it; a source that is None gives None."""
    filled: dict[str, Any] = {}
    for field, path in fields.items():
        name, _, key = path.partition(".")
        source = sources[name]
        if source is None or not key:
            filled[field] = source
        elif key in source:
            filled[field] = source[key]
    return filled


def held_to_size(text: str, what: str) -> str:
    """Return a JSON text, or raise ``ValueError`` with its size where it is too large for the log."""
    size = len(text.encode())
    if size > LARGEST:
        raise ValueError(
            f"{what} has {size:,} bytes as JSON, and the saga log takes {LARGEST:,}:"
            " keep it elsewhere and pass where it is"
        )
    return text


def error_json(error: BaseException) -> str:
    """Write an error for the log."""
    return to_json(error_members(error)).decode()


def error_members(error: BaseException) -> dict[str, Any]:
    """Return what the log has of an error: type, message, if it was `Refused`, and the ``circuit`` that let no call through."""
    members: dict[str, Any] = {"type": type_name(error), "message": message_of(error)}
    if isinstance(error, Refused):
        members["refused"] = True
    if isinstance(error, CircuitOpenError):
        members["circuit"] = error.name
    return members


def class_name(cls: type) -> str:
    """Name a class in the log."""
    return f"{cls.__module__}.{cls.__qualname__}"


def type_name(error: BaseException) -> str:
    """Return the name of an error's class."""
    return _text(type(error).__name__)[:_LONGEST_NAME]


def message_of(error: BaseException) -> str:
    """Return what an error says, shortened to 2,000 characters; if it cannot be printed, why."""
    try:
        text = validation_text(error) if isinstance(error, ValidationError) else str(error)
        return _text(text[:_LONGEST_MESSAGE])
    except BaseException as flaw:  # noqa: BLE001 - an activity's own class, which may raise anything
        return f"(it cannot be printed: its __str__ raised {type_name(flaw)})"


def _text(text: str) -> str:
    return text.encode(errors="replace").decode()  # half a surrogate is no JSON


def without_values(error: Error) -> Error:
    """Return the error, or if it is a ``ValidationError`` its like without values.

    Each error that it was raised from, which a traceback shows too, is replaced in the same way.
    """
    try:
        return _without_values(error)
    except Exception:  # noqa: BLE001 - somebody's class, which may let nothing be set, as a frozen dataclass
        with suppress(Exception):
            error.__cause__ = error.__context__ = None
        return error


def _without_values(error: Error) -> Error:
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


def read_back(model: type[Model], value: Any, what: str) -> Model:
    """Validate a value, and return it as whoever reads it from JSON gets it.

    what: names it, to begin the message with.

    Raises ``ValueError`` if it is invalid (pydantic's ``ValidationError``), and for a field that comes back changed.
    """
    given = model.model_validate(value)
    read = validated(model, dumped(given))
    if read != given:
        check_equal(given, read, what)
    return read


def why_invalid(error: BaseException) -> str:
    """Tell why stored data does not validate; of what else a validator may raise, the type."""
    return validation_text(error) if isinstance(error, ValidationError) else type_name(error)


def read_stored(model: type[Model], value: Any, what: str, *, path: str) -> Model:
    """Validate stored data, and return it.

    what: names the data.
    path: of the record that needs it.

    Raises `UnreadableData` if the model cannot read it.
    """
    try:
        return validated(model, value)
    except Exception as error:  # noqa: BLE001 - a validator may raise anything
        raise UnreadableData(
            f"{path} cannot read the stored {what} as {model.__name__}: {why_invalid(error)};"
            " let the code read it (a new field needs a default), or deploy the code that wrote it"
        ) from None  # the validator's error quotes the data


def validation_text(error: ValidationError) -> str:
    """Tell what failed on one line, without values: ``amount: Input should be greater than 0 [greater_than]``."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or error.title}: {each['msg']} [{each['type']}]"
        for each in _like(error).errors(include_url=False, include_input=False)
    )


def _raised_from(error: BaseException) -> BaseException | None:
    """Return what a traceback shows before an error."""
    return error.__cause__ if error.__suppress_context__ else error.__context__


def _like(error: Error) -> Error:
    like: Any = error
    if isinstance(error, ValidationError):
        lines = [
            without_value(each) for each in error.errors(include_url=False, include_input=False)
        ]
        like = type(error).from_exception_data(error.title, lines, hide_input=True)
    elif isinstance(error, BaseExceptionGroup):
        members = [_without_values(each) for each in error.exceptions]
        if any(map(is_not, members, error.exceptions)):
            like = error.derive(members)
    if like is error:
        return error
    like.__cause__, like.__context__ = error.__cause__, error.__context__
    like.__suppress_context__ = error.__suppress_context__
    told: Error = like.with_traceback(error.__traceback__)
    return told
