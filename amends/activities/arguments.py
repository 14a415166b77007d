"""The arguments of an activity's function, built from what the log stores."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from pydantic import BaseModel

from amends.definition.itinerary import RecordPlan, Sources, fill
from amends.definition.serialization import validated, why_invalid
from amends.errors import UnreadableData

_FIRST_WAIT: Final = 10.0
_LONGEST_WAIT: Final = 80.0


class Reader(Protocol):
    """The part of an activity that reads stored data."""

    parameters: list[type[BaseModel]]


def arguments_of(
    activity: Reader, record: RecordPlan, sources: Sources, compensated_output: Any
) -> list[Any]:
    """Build the arguments of a record's function.

    sources: what its input is filled from.
    compensated_output: output of the record that this one compensates, JSON data; None if unknown.

    Raises `UnreadableData` if this process's code cannot read them.
    """
    models = activity.parameters
    with _reading(record, "input", models[0]):
        arguments: list[Any] = [validated(models[0], fill(record.inputs, sources))]
    if record.compensates and compensated_output is None:
        arguments.append(None)
    elif record.compensates:
        with _reading(record, f"output of {record.compensated_path}", models[1]):
            arguments.append(validated(models[1], compensated_output))
    return arguments


@contextmanager
def _reading(record: RecordPlan, what: str, model: type[BaseModel]) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a validator may raise anything
        raise UnreadableData(
            f"{record.path} cannot read the stored {what} as {model.__name__}: {why_invalid(error)};"
            " let the code read it (a new field needs a default), or deploy the code that wrote it"
        ) from None  # the validator's error quotes the data


def wait_for_code(tries: int) -> float:
    """Seconds until a record is tried again that a worker's code could not read, after so many tries."""
    return min(_FIRST_WAIT * 2.0**tries, _LONGEST_WAIT)
