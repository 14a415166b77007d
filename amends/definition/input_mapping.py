"""Where each field of a model comes from, found by name and checked when a saga is defined."""

import re
from collections.abc import Mapping
from types import MappingProxyType, NoneType
from typing import Any, Final, get_args

from pydantic import BaseModel

from amends.definition.compatibility import accepts
from amends.definition.sources import bare
from amends.errors import DefinitionError, did_you_mean

_CONDITION: Final = re.compile(r"(not )?[A-Za-z_]\w*\.[A-Za-z_]\w*")

Models = Mapping[str, type[BaseModel]]
"""The models that fields may come from, by the name of their source."""


def map_inputs(
    target: type[BaseModel],
    declared: Mapping[str, str],
    models: Models,
    *,
    optional: frozenset[str] = frozenset(),
    lists: Mapping[str, Any] = MappingProxyType({}),
    where: str,
    keyword: str = "inputs",
) -> dict[str, str]:
    """Find the path, ``<source>.<field>``, that fills each field of a model.

    `declared` says it for some, in what is called `keyword`; the others are found by name. A field
    that nothing fills must have a default, and one whose source is `optional` must allow None. `lists` has the types of
    sources that are lists, whose path is their name alone.
    Raises `DefinitionError`, which begins with `where`.
    """
    paths = {}
    for name, field in target.model_fields.items():
        path = declared.get(name) or _find(name, models, lists, where=where, keyword=keyword)
        if path is None:
            if field.is_required():
                known = sorted({each for model in models.values() for each in model.model_fields})
                raise DefinitionError(
                    f"{where}: nothing fills {target.__name__}.{name}{did_you_mean(name, known)};"
                    f" say {keyword}={{'{name}': '<source>.<field>'}}"
                )
            continue
        source = lists[path] if path in lists else field_at(path, models, lists, where=where)
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


def checked_condition(when: object, models: Models, *, where: str) -> str:
    """Return a condition whose path names a boolean, ``<source>.<field>`` or ``not <source>.<field>``.

    Raises `DefinitionError`.
    """
    if not isinstance(when, str) or not _CONDITION.fullmatch(when):
        raise DefinitionError(
            f"{where}: when is {when!r}; say '<source>.<field>' of a boolean, or 'not <source>.<field>'"
        )
    path = bare(when)
    annotation = field_at(path, models, where=where)
    if annotation is not bool:
        raise DefinitionError(
            f"{where}: when names {path}, which is {_name(annotation)} and not a bool"
        )
    return when


def _find(
    name: str, models: Models, lists: Mapping[str, Any], *, where: str, keyword: str
) -> str | None:
    found = [f"{source}.{name}" for source, model in models.items() if name in model.model_fields]
    if name in lists:
        found.append(name)
    if len(found) > 1:
        raise DefinitionError(
            f"{where}: {name} could come from {' or '.join(found)}; say {keyword}={{'{name}': '{found[0]}'}}"
        )
    return found[0] if found else None


def field_at(
    path: str, models: Models, lists: Mapping[str, Any] = MappingProxyType({}), *, where: str
) -> Any:
    """Return the annotation of the field at a path. Raises `DefinitionError`, which begins with `where`."""
    source, _, name = path.partition(".")
    if source in lists:
        raise DefinitionError(
            f"{where}: {path} names a field of {source}, whose output is a list; say {source!r}"
        )
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
