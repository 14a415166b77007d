"""Whether a field of one type takes the JSON of another."""

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, RootModel

_TEXTS: Final = (bytes, date, time, timedelta, UUID, PurePath)
"""Written to JSON as text, beside str and Decimal."""

_SCALARS: Final = (bool, int, float, complex, Decimal, str, NoneType, *_TEXTS)

_WIDER: Final = {
    float: (int, Decimal),
    complex: (int, float),
    Decimal: (int, float, str),
    str: (Decimal, *_TEXTS),
    date: (str, int, float),  # a number is seconds since 1970
    time: (str, int, float),
    timedelta: (str, int, float),
    bytes: (str,),
    UUID: (str,),
    PurePath: (str,),
}
"""What each takes as JSON beside its own kind."""

Pairs = frozenset[tuple[type[BaseModel], type[BaseModel]]]


def accepts(target: Any, source: Any, seen: Pairs = frozenset()) -> bool:
    """Tell whether a field of one annotation takes what a field of another holds, as JSON.

    It refuses what can never fit, and None where none is taken; what may fit, or cannot be judged
    here, is validated when the input is built. Models are compared by their fields, so that a
    receiver may want fewer than there are. `seen` holds the models that are being compared, which
    may contain themselves.
    """
    target, source = plain(target), plain(source)
    if target == source or any(each in (Any, object) for each in (target, source)):
        return True
    if is_union(source):
        return all(accepts(target, member, seen) for member in get_args(source))
    if is_union(target):
        return any(accepts(member, source, seen) for member in get_args(target))
    if values_of(target) or values_of(source):
        return _accepts_values(target, source)
    return _accepts_kind(target, source, seen)


def _accepts_kind(target: Any, source: Any, seen: Pairs) -> bool:
    kinds = (_kind(target), _kind(source))
    if kinds == ("scalar", "scalar"):
        return _accepts_scalar(target, source)
    if kinds == ("model", "model"):
        return _accepts_model(target, source, seen)
    if None in kinds or kinds in {("model", "object"), ("object", "model")}:
        return True
    return kinds[0] == kinds[1] and _accepts_items(target, source, seen)


def _accepts_values(target: Any, source: Any) -> bool:
    mine, theirs = values_of(target), values_of(source)
    if mine and theirs:
        return not mine.isdisjoint(theirs)
    if theirs:
        return all(accepts(target, type(value)) for value in theirs)
    return any(accepts(type(value), source) for value in mine)


def _accepts_scalar(target: type, source: type) -> bool:
    if issubclass(source, target) or (issubclass(target, source) and target is not bool):
        return True
    if source is bool:
        return False
    return any(
        issubclass(target, mine) and issubclass(source, theirs) for mine, theirs in _WIDER.items()
    )


def _accepts_items(target: Any, source: Any, seen: Pairs) -> bool:
    # The last arguments are the items, or the values of a mapping, whose keys JSON makes text.
    first = 1 if _kind(target) == "object" else 0
    pairs = zip(get_args(target)[first:], get_args(source)[first:], strict=False)
    return all(accepts(mine, theirs, seen) for mine, theirs in pairs if ... not in (mine, theirs))


def _accepts_model(target: type[BaseModel], source: type[BaseModel], seen: Pairs) -> bool:
    if target.model_config.get("extra") == "forbid" and (
        source.model_fields.keys() - target.model_fields.keys()
    ):
        return False
    if (target, source) in seen:
        return True
    seen |= {(target, source)}
    for name, field in target.model_fields.items():
        theirs = source.model_fields.get(name)
        if theirs is None and field.is_required():
            return False
        if theirs is not None and not accepts(field.annotation, theirs.annotation, seen):
            return False
    return True


def plain(annotation: Any) -> Any:
    """Look through what is only a name or a wrapper: Annotated, NewType, a type alias, a root model."""
    if annotation is None:
        return NoneType
    if get_origin(annotation) is Annotated:
        return plain(get_args(annotation)[0])
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return plain(annotation.model_fields["root"].annotation)
    named = getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)
    return annotation if named is None else plain(named)


def is_union(annotation: Any) -> bool:
    """Return whether an annotation is a union of several."""
    return get_origin(annotation) in (Union, UnionType)


def values_of(annotation: Any) -> frozenset[Any]:
    """Return the values that an enum or a Literal has, as JSON; none for anything else."""
    members: Iterable[Any] = ()
    if get_origin(annotation) is Literal:
        members = get_args(annotation)
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        members = annotation
    return frozenset(each.value if isinstance(each, Enum) else each for each in members)


def _kind(annotation: Any) -> str | None:
    """Tell what an annotation's JSON is: scalar, model, object, array, or None for who knows."""
    plain = get_origin(annotation) or annotation
    if not isinstance(plain, type):
        return None
    if issubclass(plain, BaseModel):
        return "model"
    if issubclass(plain, Mapping) or is_dataclass(plain):
        return "object"
    if issubclass(plain, _SCALARS):
        return "scalar"
    return "array" if issubclass(plain, Iterable) else None
