"""Whether a stored input means one of today: a model may have more fields than it had, or fewer."""

from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from amends.definition.serialization import canonical_json, dumped, validated


def is_same_input(model: type[BaseModel], stored: str, text: str) -> bool:
    """Return whether a stored input, read as one of today, is the same, and nothing of it is left out.

    model: the input's model.
    stored: JSON that code of any age wrote.
    text: the input at hand, canonical JSON.
    """
    data = from_json(stored)
    try:
        read = dumped(validated(model, data))
    except Exception:  # noqa: BLE001 - a model's own validator may raise anything: it cannot be read
        return False
    return canonical_json(read) == text and _has_all(read, data)


def _has_all(read: Any, data: Any) -> bool:
    """Return whether each name that the data have was read, at any depth."""
    if isinstance(data, dict):
        return isinstance(read, dict) and all(
            name in read and _has_all(read[name], each) for name, each in data.items()
        )
    if isinstance(data, list):
        return isinstance(read, list) and all(map(_has_all, read, data))
    return True
