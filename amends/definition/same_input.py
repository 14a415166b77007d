"""Whether a stored input means one of today: a model may have more fields than it had, or fewer."""

from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from amends.definition.serialization import canonical_json, dumped, given_digest, validated


def is_same_input(model: type[BaseModel], stored: str, text: str, *, given_alike: bool) -> bool:
    """Return whether a stored input is the same as one of today.

    model: the input's model.
    stored: JSON that code of any age wrote.
    text: the input at hand, canonical JSON.
    given_alike: whether the digests of both are equal. Then they differ by defaults alone: those of other code are no
        difference, but two models of one union may be told apart by theirs.
    """
    data, own = from_json(stored), validated(model, from_json(text))
    try:
        read = validated(model, data)
    except Exception:  # noqa: BLE001 - a model's own validator may raise anything: it cannot be read
        return given_alike
    written = dumped(read)
    if read == own or canonical_json(written) == text:  # a set is written in any order
        return given_alike or _has_all(written, data)
    return given_alike and given_digest(read) != given_digest(own)


def _has_all(read: Any, data: Any) -> bool:
    """Return whether each name that the data have was read, at any depth."""
    if isinstance(data, dict):
        return isinstance(read, dict) and all(
            name in read and _has_all(read[name], each) for name, each in data.items()
        )
    if isinstance(data, list):
        return isinstance(read, list) and all(map(_has_all, read, data))
    return True
