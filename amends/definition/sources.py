"""Where inputs come from: fields filled from JSON by their paths, and conditions."""

from collections.abc import Mapping
from typing import Any

from amends.definition.paths import ITEM

Sources = Mapping[str, Any]
"""JSON objects by the name of where they come from: ``input``, ``saga``, ``item`` or a step; lists of those of a step for each item."""


def fill(fields: Mapping[str, str], sources: Sources) -> dict[str, Any]:
    """Fill each field from its path, ``<source>.<field>``, or ``<source>`` for all of it; a source that is None gives None."""
    filled: dict[str, Any] = {}
    for field, path in fields.items():
        name, _, key = path.partition(".")
        source = sources[name]
        if source is None or not key:
            filled[field] = source
        elif key in source:
            filled[field] = source[key]
    return filled


def bare(when: str) -> str:
    """Return the path in a condition."""
    return when.removeprefix("not ")


def condition(when: str, value: object) -> bool:
    """Return what a condition says of the value at its path; one that is missing is false."""
    return bool(value) != when.startswith("not ")


def is_true(when: str, sources: Sources) -> bool:
    """Return whether a condition is true."""
    return condition(when, fill({"": bare(when)}, sources).get(""))


def item_input(inputs: Mapping[str, str], sources: Sources) -> dict[str, Any]:
    """Fill each field from what `StagePlan.branches_of` returned of its item."""
    item = sources[ITEM] or {}
    return {field: item[path] for field, path in inputs.items() if path in item}
