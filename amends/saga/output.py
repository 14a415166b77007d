"""The output of a saga, as far as it is filled."""

from collections.abc import Callable, Mapping
from copy import copy
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, create_model

from amends.definition.serialization import validated, why_invalid
from amends.definition.states import ENDED
from amends.errors import UnreadableData
from amends.log.queries.output_fields import output_fields
from amends.log.saga_state import Entry

Result = TypeVar("Result")
Model = TypeVar("Model", bound=BaseModel)

Build = Callable[[dict[str, Any]], Result]
"""Builds an output from its fields."""


def read_output(entry: Entry, build: Build[Result]) -> Result:
    """Read a saga's output, as far as it is filled. Raises `UnreadableData`."""
    try:
        return build(output_fields(entry))
    except Exception as error:  # noqa: BLE001 - a validator may raise anything
        why = why_invalid(error)
    # Outside of the handler: Python would note there the validator's error, which quotes the data.
    if entry.status not in ENDED:
        raise UnreadableData(
            f"saga {entry.id!r} is {entry.status}, and this code cannot read its output as far as that is filled: {why};"
            " let validators of the output's model take None for what is not there yet, or wait with amends.get(saga_id), which"
            " returns a plain dict"
        )
    raise UnreadableData(
        f"saga {entry.id!r} ended as {entry.outcome}, and this code cannot read its output: {why};"
        " let the output's model take what older code stored, or wait with amends.get(saga_id), which returns"
        " a plain dict"
    )


def build_early(model: type[Model], paths: Mapping[str, str], fields: dict[str, Any]) -> Model:
    """Build an output before there is an outcome: the field that has it is None, whatever the model says.

    paths: the source of each field.

    Raises pydantic's ``ValidationError``, and what a validator raises.
    """
    try:
        return validated(model, fields)
    except ValidationError:
        names = frozenset(name for name, path in paths.items() if path == "saga.outcome")
        if not names:
            raise
    read = validated(_allowing_none(model, names), fields)
    return model.model_construct(read.model_fields_set, **dict(read))


@lru_cache(maxsize=100)
def _allowing_none(model: type[Model], names: frozenset[str]) -> type[Model]:
    """Return a model with the same fields and validators, in which some fields may be None."""
    wider: dict[str, Any] = {}
    for name in names:
        field: Any = copy(model.model_fields[name])
        wider[name] = (field.annotation | None, field)
    return create_model(model.__name__, __base__=model, **wider)
