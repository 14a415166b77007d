"""Where each field of a model comes from, found by name and checked when a saga is defined."""

from collections.abc import Mapping
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel

from amends.definition.compatibility import accepts
from amends.errors import DefinitionError, did_you_mean

Models = Mapping[str, type[BaseModel]]
"""The models that fields may come from, by the name of their source."""


def map_inputs(
    target: type[BaseModel],
    declared: Mapping[str, str],
    models: Models,
    *,
    optional: frozenset[str] = frozenset(),
    where: str,
    keyword: str = "inputs",
) -> dict[str, str]:
    """Find the path, ``<source>.<field>``, that fills each field of a model.

    `declared` says it for some, in what is called `keyword`; the others are found by name. A field
    that nothing fills must have a default, and one whose source is `optional` must allow None.
    Raises `DefinitionError`, which begins with `where`.
    """
    paths = {}
    for name, field in target.model_fields.items():
        path = declared.get(name) or _find(name, models, where=where, keyword=keyword)
        if path is None:
            if field.is_required():
                known = sorted({each for model in models.values() for each in model.model_fields})
                raise DefinitionError(
                    f"{where}: nothing fills {target.__name__}.{name}{did_you_mean(name, known)};"
                    f" say {keyword}={{'{name}': '<source>.<field>'}}"
                )
            continue
        source = field_at(path, models, where=where)
        if path.partition(".")[0] in optional and not accepts(field.annotation, NoneType):
            raise DefinitionError(
                f"{where}: {target.__name__}.{name} comes from {path}, which may not have happened;"
                " let it be None"
            )
        if not accepts(field.annotation, source):
            raise DefinitionError(
                f"{where}: {target.__name__}.{name} is {_name(field.annotation)}, and {path} that fills it"
                f" is {_name(source)}"
            )
        paths[name] = path
    return paths


def _find(name: str, models: Models, *, where: str, keyword: str) -> str | None:
    found = [f"{source}.{name}" for source, model in models.items() if name in model.model_fields]
    if len(found) > 1:
        raise DefinitionError(
            f"{where}: {name} could come from {' or '.join(found)}; say {keyword}={{'{name}': '{found[0]}'}}"
        )
    return found[0] if found else None


def field_at(path: str, models: Models, *, where: str) -> Any:
    """Return the annotation of the field at a path. Raises `DefinitionError`, which begins with `where`."""
    source, _, name = path.partition(".")
    if source not in models:
        raise DefinitionError(
            f"{where}: {path} names {source!r}, which is not the input nor an earlier step"
            f" with an output{did_you_mean(source, models)}"
        )
    fields = models[source].model_fields
    if name not in fields:
        raise DefinitionError(
            f"{where}: {path} names no field of {models[source].__name__}{did_you_mean(name, fields)}"
        )
    return fields[name].annotation


def _name(annotation: Any) -> str:
    return (
        annotation.__name__
        if isinstance(annotation, type) and not get_args(annotation)
        else str(annotation)
    )
