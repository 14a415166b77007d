"""What JSON does not hold of a model, and the saga log would lose."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields, is_dataclass
from typing import Any, Final, get_args, get_origin, get_type_hints

from pydantic import BaseModel, PlainSerializer, Secret, SecretBytes, SecretStr, WrapSerializer
from pydantic.fields import FieldInfo

from amends.definition.compatibility import plain
from amends.errors import DefinitionError

_SECRETS: Final = (SecretStr, SecretBytes, Secret)
_HAVE_FIELDS: Final = ("_fields", "__total__")
"""What marks a named tuple, and a typed dict of ``typing`` or ``typing_extensions``."""


def check_losses(model: type[BaseModel], *, where: str) -> None:
    """Refuse a model with a field that a step would get otherwise than it was given.

    where: what the model is for, to begin the message with.

    Raises `DefinitionError`.
    """
    for lost in _losses(model, model.__name__, set()):
        raise DefinitionError(
            f"{where}: {lost}, so no step would get it; store a reference to it, as to an entry of a vault,"
            " or give the field a serializer that writes it"
        )


def check_equal(given: BaseModel, read: BaseModel, what: str) -> None:
    """Refuse a value with a field that came back from JSON changed.

    what: names the value, to begin the message with.

    Raises ``ValueError``.
    """
    for name in type(read).model_fields:
        before, after = getattr(given, name), getattr(read, name)
        # A value that does not equal its own copy cannot be compared.
        if before != after and deepcopy(before) == before:
            raise ValueError(
                f"{what}: {type(read).__name__}.{name} does not come back from JSON as it was given; declare the type"
                " that it has, or give it a serializer that a validator reads"
            )


def _losses(annotation: Any, at: str, seen: set[Any]) -> Iterator[str]:
    """Yield a sentence for each lost field, in models, dataclasses and other types however nested."""
    annotation = plain(annotation)
    for argument in get_args(annotation):
        yield from _losses(argument, at, seen)
    kind = get_origin(annotation) or annotation
    if not isinstance(kind, type) or kind in seen:
        return
    seen.add(kind)
    if issubclass(kind, _SECRETS):
        seen.discard(kind)
        yield f"{at} is a {kind.__name__}, which JSON masks"
    elif issubclass(kind, BaseModel):
        for name, field in _unwritten(kind):
            yield from _of_field(field.annotation, field, f"{at}.{name}", seen)
    elif is_dataclass(kind) or any(hasattr(kind, mark) for mark in _HAVE_FIELDS):
        given = {each.name: each.default for each in fields(kind)} if is_dataclass(kind) else {}
        for name, hint in _hints(kind).items():
            yield from _of_field(hint, given.get(name), f"{at}.{name}", seen)


def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind, include_extras=True)
    except NameError:  # of a class within a function, which pydantic finds there; a start compares what it is given
        return {}


def _of_field(annotation: Any, field: Any, at: str, seen: set[Any]) -> Iterator[str]:
    if isinstance(field, FieldInfo) and field.exclude:
        yield f"{at} has exclude=True, which leaves it out of JSON"
    else:
        yield from _losses(annotation, at, seen)


def _unwritten(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the fields that no serializer of their own writes: what it writes is compared at a start."""
    own = model.__pydantic_decorators__
    written = {name for each in own.field_serializers.values() for name in each.info.fields}
    if own.model_serializers or "*" in written:
        return
    for name, field in model.model_fields.items():
        serializers = [each for each in field.metadata if _is_serializer(each)]
        if field.exclude or not (name in written or serializers):
            yield name, field


def _is_serializer(metadata: object) -> bool:
    return isinstance(metadata, PlainSerializer | WrapSerializer)
