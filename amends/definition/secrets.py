"""Secrets in payloads: which fields of a model are any, and data without them.

A field is a secret if its type is pydantic's ``SecretStr`` or the like, or if it is marked:
``Field(json_schema_extra={"amends": "secret"})``. People see `MASK` in its place, in every face; activities get the value.
"""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from pydantic import BaseModel, RootModel, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from amends.definition.compatibility import is_union, plain

MASK: Final = "**********"

_KEY, _SECRET = "amends", "secret"
_TYPES: Final = (SecretStr, SecretBytes, Secret)


def masked(model: Any, data: Any) -> Any:
    """Return JSON data without its secrets.

    model: type of the data: a pydantic model, or any other annotation.
    data: as the log has it, by the fields' names. What does not fit the model is masked by what fits of it.
    """
    annotation = _looked_through(model)
    if _is_secret(model) or _is_secret(annotation):
        return None if data is None else MASK
    if is_union(annotation):
        for member in get_args(annotation):  # a mask stays one
            data = masked(member, data)
        return data
    if isinstance(data, dict):
        return _masked_object(annotation, data)
    if isinstance(data, list):
        return [
            masked(each, item)
            for each, item in zip(_items(annotation, len(data)), data, strict=True)
        ]
    return data


def has_secret(field: FieldInfo) -> bool:
    """Return whether a field of a model is a secret itself."""
    if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get(_KEY) == _SECRET:
        return True
    annotation = plain(field.annotation)
    members = get_args(annotation) if is_union(annotation) else [annotation]
    return any(_is_secret(each) for each in [field.annotation, *members])


def _looked_through(annotation: Any) -> Any:
    """Look through aliases and root models, but not through an annotation that marks a secret."""
    while not _is_secret(annotation):
        if isinstance(annotation, type) and issubclass(annotation, RootModel):
            root = annotation.model_fields["root"]
            if has_secret(root):
                return SecretStr
            annotation = root.annotation
            continue
        found = plain(annotation)
        if found is annotation:
            break
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
            continue
        annotation = found
    return annotation


def _is_secret(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        marks = [each for each in metadata if isinstance(each, FieldInfo)]
        return any(map(has_secret, marks)) or _is_secret(inner)
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, _TYPES)


def _masked_object(annotation: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    mask_of = _fields(annotation)
    if mask_of is None:
        arguments = get_args(annotation)
        value = arguments[1] if len(arguments) > 1 else Any
        return {name: masked(value, each) for name, each in data.items()}
    return {name: mask_of[name](each) if name in mask_of else each for name, each in data.items()}


def _fields(annotation: Any) -> Mapping[str, Callable[[Any], Any]] | None:
    """Return what masks each field of a model, a dataclass or a typed dict; None for a plain mapping."""
    kind = get_origin(annotation) or annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: _masking(field) for name, field in kind.model_fields.items()}
    if isinstance(kind, type) and (is_dataclass(kind) or hasattr(kind, "__total__")):
        return {name: _masking_as(hint) for name, hint in _hints(kind).items()}
    return None


def _masking(field: FieldInfo) -> Callable[[Any], Any]:
    if has_secret(field):
        return lambda data: None if data is None else MASK
    return _masking_as(field.annotation)


def _masking_as(annotation: Any) -> Callable[[Any], Any]:
    return lambda data: masked(annotation, data)


def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind, include_extras=True)
    except NameError:  # of a class within a function
        return dict.fromkeys(kind.__annotations__, SecretStr)


def _items(annotation: Any, count: int) -> list[Any]:
    """Return the type of each of so many items of a list."""
    kind, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if isinstance(kind, type) and hasattr(kind, "_fields"):  # a named tuple
        found = [*_hints(kind).values()]
    elif kind is tuple and Ellipsis not in arguments:
        found = [*arguments]
    else:
        return [arguments[0] if arguments else Any] * count
    return [*found, *[Any] * count][:count]
