"""The pydantic models that an activity's function takes and returns, as its annotations say."""

import inspect
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel

from amends.errors import DefinitionError


def models_of(
    function: Callable[..., Any], name: str
) -> tuple[list[type[BaseModel]], type[BaseModel] | None, bool]:
    """Return the models that a function takes, and the one that it returns, if any; and whether it may return None too.

    The second that a compensation takes may be None. Raises `DefinitionError`.
    """
    wanted = (
        "an activity is a function of one pydantic model that returns one or None,"
        " a compensation one of that model and of its output or None"
    )
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise DefinitionError(
            f"{name}: {error}, which an annotation says: import it where it runs too, not for type checkers alone"
        ) from error
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(f"{name} yields, so that a call of it does nothing yet; {wanted}")
    names = list(inspect.signature(function).parameters)
    if len(names) not in (1, 2) or any(each not in hints for each in [*names, "return"]):
        raise DefinitionError(f"{name}: {wanted}; annotate each")
    first, output = hints[names[0]], hints["return"]
    if not _is_model(first):
        raise DefinitionError(f"{name}: {names[0]} is {first!r}, no pydantic model; {wanted}")
    members = [each for each in get_args(output) if each is not type(None)]
    may_be_none = len(names) == 1 and len(members) == 1 == len(get_args(output)) - 1
    output = members[0] if may_be_none else output
    if output is not type(None) and not _is_model(output):
        raise DefinitionError(f"{name} returns {output!r}, no pydantic model; {wanted}")
    undone = [_undone_model(name, each, hints[each], output) for each in names[1:]]
    return [first, *undone], None if output is type(None) else output, may_be_none


def returns_optional(function: Callable[..., Any]) -> bool:
    """Tell whether a function of one argument returns a model or None, as far as its annotations can be read."""
    try:
        returned = get_type_hints(function).get("return")
    except NameError:
        return False
    return type(None) in get_args(returned)


def _undone_model(name: str, parameter: str, undone: Any, output: Any) -> Any:
    """Return the model of the output that a compensation undoes, or None's type. Raises `DefinitionError`."""
    members = get_args(undone) or (undone,)
    models = [each for each in members if each is not type(None)]
    if len(members) - len(models) != 1 or len(models) > 1 or not all(map(_is_model, models)):
        raise DefinitionError(
            f"{name}: {parameter} is {undone!r}, not a pydantic model or None: what a compensation"
            " undoes may have no output that anybody knows of"
        )
    if output is not type(None):
        raise DefinitionError(f"{name} returns {output!r}; a compensation returns None")
    return models[0] if models else type(None)


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
