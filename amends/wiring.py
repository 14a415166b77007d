"""Where each field of a model comes from, found by name and checked when a saga is defined."""

import difflib
import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from amends.errors import DefinitionError

Models = Mapping[str, type[BaseModel]]
"""The models that fields may come from, by the name of their source."""


def wire(
    target: type[BaseModel], declared: Mapping[str, str], models: Models, *, where: str
) -> dict[str, str]:
    """Find the path, ``<source>.<field>``, that fills each field of a model.

    `declared` says it for some; the others are found by name. A field that nothing fills must have a
    default. Raises `DefinitionError`, which begins with `where`.
    """
    paths = {}
    for name, field in target.model_fields.items():
        path = declared.get(name) or _find(name, models, where=where)
        if path is None:
            if field.is_required():
                known = sorted({each for model in models.values() for each in model.model_fields})
                raise DefinitionError(
                    f"{where}: nothing fills {target.__name__}.{name}{_hint(name, known)};"
                    f" say inputs={{'{name}': '<source>.<field>'}}"
                )
            continue
        source = _field_at(path, models, where=where)
        if not accepts(field.annotation, source):
            raise DefinitionError(
                f"{where}: {target.__name__}.{name} is {_name(field.annotation)}, and {path} that fills it"
                f" is {_name(source)}"
            )
        paths[name] = path
    return paths


def _find(name: str, models: Models, *, where: str) -> str | None:
    found = [f"{source}.{name}" for source, model in models.items() if name in model.model_fields]
    if len(found) > 1:
        raise DefinitionError(
            f"{where}: {name} could come from {' or '.join(found)}; say inputs={{'{name}': '{found[0]}'}}"
        )
    return found[0] if found else None


def _field_at(path: str, models: Models, *, where: str) -> Any:
    source, _, name = path.partition(".")
    if source not in models:
        raise DefinitionError(
            f"{where}: {path} names {source!r}, which is not the input nor an earlier step"
            f" with an output{_hint(source, models)}"
        )
    fields = models[source].model_fields
    if name not in fields:
        raise DefinitionError(
            f"{where}: {path} names no field of {models[source].__name__}{_hint(name, fields)}"
        )
    return fields[name].annotation


def _hint(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _name(annotation: Any) -> str:
    return (
        annotation.__name__
        if isinstance(annotation, type) and not get_args(annotation)
        else str(annotation)
    )


_WIDER = {(float, int), (complex, int), (complex, float)}


def accepts(target: Any, source: Any) -> bool:
    """Tell whether a field of one annotation takes what a field of another holds, as JSON.

    Models are compared by their fields, so that a receiver may want fewer than there are.
    """
    target, source = _plain(target), _plain(source)
    if target == source or target is Any or source is Any:
        return True
    if _is_union(source):
        return all(accepts(target, member) for member in get_args(source))
    if _is_union(target):
        return any(accepts(member, source) for member in get_args(target))
    if get_origin(target) and get_origin(source):
        return _accepts_generic(target, source)
    origin, other = get_origin(target) or target, get_origin(source) or source
    if not (isinstance(origin, type) and isinstance(other, type)):
        return True  # what cannot be judged here is validated when the input is built
    if issubclass(origin, BaseModel) and issubclass(other, BaseModel):
        return _accepts_model(origin, other)
    return issubclass(other, origin) or (origin, other) in _WIDER or origin.__name__ == "Decimal"


def _accepts_generic(target: Any, source: Any) -> bool:
    sequences = (list, tuple, set, frozenset)
    origin, other = get_origin(target), get_origin(source)
    if origin is not other and not (origin in sequences and other in sequences):
        return False
    pairs = zip(get_args(target), get_args(source), strict=False)
    return all(accepts(mine, theirs) for mine, theirs in pairs if Ellipsis not in (mine, theirs))


def _accepts_model(target: type[BaseModel], source: type[BaseModel]) -> bool:
    for name, field in target.model_fields.items():
        theirs = source.model_fields.get(name)
        if theirs is None and field.is_required():
            return False
        if theirs is not None and not accepts(field.annotation, theirs.annotation):
            return False
    return True


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)
