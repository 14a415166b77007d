"""Where inputs come from, and conditions."""

from collections.abc import Mapping
from typing import Any

from amends.definition.paths import ITEM
from amends.definition.serialization import fill

Sources = Mapping[str, Any]
"""JSON objects by the name of where they come from: ``input``, ``saga``, ``item`` or a step; lists of those of a step for each item."""


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
