"""Ids of sagas, and paths of their records.

A record is named by its path: ``<step>``, ``<step>:fallback``, ``<step>:undo`` or ``<step>:fallback:undo``, and for a
verification ``<step>:verify`` or ``<step>:fallback:verify``; of a step for each item of a list ``<step>[<item>]`` and so on,
the first item being 1. Messages carry it, and the saga's id with it is the idempotency key.
"""

import re
from typing import Final

FALLBACK: Final = ":fallback"
UNDO: Final = ":undo"
VERIFY: Final = ":verify"

_ITEM: Final = re.compile(r"\[([0-9]+)\]")
ITEM: Final = "item"
"""The source that a step for each item has its input from."""


def item_of(path: str) -> str:
    """Return the number of the item in a path, '' of one without."""
    found = _ITEM.search(path)
    return found[1] if found else ""


def without_item(path: str) -> str:
    """Return a path as its step's definition has it."""
    return _ITEM.sub("", path)


def child_id(saga_id: str, path: str, tries: int = 0) -> str:
    """Return the id of a saga's child.

    path: of the step.
    tries: children of this step that turned back before.
    """
    parts = [saga_id, without_item(path), *filter(None, [item_of(path)])]
    return ".".join(parts) + (f"-{tries + 1}" if tries else "")


def tries_of_child(name: str, saga_id: str, path: str) -> int:
    """Return how many children of a step turned back before one, by its id."""
    number = name.removeprefix(child_id(saga_id, path)).removeprefix("-")
    return int(number) - 1 if number else 0
