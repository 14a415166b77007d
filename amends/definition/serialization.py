"""What is inside of the log's JSON: models, outputs and errors."""

from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from amends.definition.validation_errors import validation_text
from amends.errors import CircuitOpenError

Model = TypeVar("Model", bound=BaseModel)

LARGEST: Final = 1024 * 1024
"""Bytes of JSON that an input or an output may have; the log is no place for files."""


_PARTED: Final = (dict, list, tuple)


def canonical_json(value: object) -> str:
    """Write JSON that is the same text for the same data."""
    return to_json(_sorted(value)).decode()


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


def validated(model: type[Model], value: Any) -> Model:
    """Build a model from JSON data, by its fields' names. Raises pydantic's ``ValidationError``."""
    return model.model_validate_json(to_json(value), by_alias=False, by_name=True)


def output_json(model: type[BaseModel] | None, result: Any) -> Any:
    """Turn what an activity returned into JSON data, holding it to the model that it promised.

    Raises pydantic's ``ValidationError``, and ``TypeError`` where None was promised.
    """
    if model is not None:
        return dumped(model.model_validate(result))
    if result is not None:
        raise TypeError(
            f"it returned a {type(result).__name__}, and its annotation says that it returns None"
        )
    return None


def output_text(model: type[BaseModel] | None, result: Any, *, activity: str) -> str:
    """Write an output for the log. Raises what `output_json` and `held_to_size` do."""
    text = to_json(output_json(model, result)).decode()
    return held_to_size(text, f"the output of {activity}")


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
    """Write an error for the log: its type, its message, and the ``circuit`` that let no call through."""
    text = validation_text(error) if isinstance(error, ValidationError) else str(error)
    message = text[:2000].encode(errors="replace").decode()  # half a surrogate is no JSON
    members = {"type": type(error).__name__, "message": message}
    if isinstance(error, CircuitOpenError):
        members["circuit"] = error.name
    return to_json(members).decode()


def error_text(text: str | None) -> str | None:
    """Tell people an error of the log: its type and its message."""
    if text is None:
        return None
    error = from_json(text)
    return f"{error['type']}: {error['message']}"


def error_circuit(text: str | None) -> str | None:
    """Return the circuit breaker that an error of the log names; None for any other error, and for an old one."""
    if text is None:
        return None
    circuit: str | None = from_json(text).get("circuit")
    return circuit
